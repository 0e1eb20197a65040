import type { ClearPackets } from './clear-packets.ts';

/** Where clear packets go. */
export interface ClearSink {
  /** Whether it takes packets now. While it does not, nothing is opened, and so nothing is paid. */
  readonly isReady: boolean;
  /** Set by the one that writes to the sink; called when `isReady` becomes true. */
  onReady: (() => void) | undefined;
  /**
   * Takes packets in. It does not fail and does not wait: what cannot be passed on any more is let go.
   * @param clear valid until this returns.
   */
  write(clear: ClearPackets): void;
}
