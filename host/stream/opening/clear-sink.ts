import type { ClearPackets } from './clear-packets.ts';

/** Where clear packets go. */
export interface ClearSink {
  /** Whether more is isReady now: nothing is opened, and so nothing paid, while it is not. */
  readonly isReady: boolean;
  /** Set by whoever feeds the sink; called when `isReady` becomes true. */
  onReady: (() => void) | undefined;
  /**
   * Takes packets in; does not fail and does not wait. What the sink cannot pass on any more it lets go.
   * @param clear valid until this returns.
   */
  write(clear: ClearPackets): void;
}
