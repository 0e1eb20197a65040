import type { Mode } from '../../../apdu/decode-module/packets/card-part.ts';
import type { ClearPackets } from './clear-packets.ts';

/** What is known of a group before it is paid for. Nothing of it is authenticated yet. */
export interface GroupPreview {
  readonly mode: Mode;
  readonly ssrc: number;
  /** RTP payload type of its card packet. */
  readonly payloadType: number;
  /** Whether every packet came. */
  readonly isComplete: boolean;
  /** RTP timestamps of the packets that came. */
  readonly timestamps: () => readonly number[];
}

/** What a sink makes of a group: it wants it; it has what is in it, or cannot use it; or too little of it came. */
export type GroupVerdict = 'wanted' | 'held' | 'damaged';

/** Where clear packets go. */
export interface ClearSink {
  /** Whether it takes packets now. While it does not, nothing is opened, and so nothing is paid. */
  readonly isReady: boolean;
  /** Set by the one that writes to the sink; called when `isReady` becomes true. */
  onReady: (() => void) | undefined;
  /** Says whether a group is worth its toll; a sink without this wants every group. */
  judge?(group: GroupPreview): GroupVerdict;
  /**
   * Takes packets in. It does not fail and does not wait: what cannot be passed on any more is let go.
   * @param clear valid until this returns.
   */
  write(clear: ClearPackets): void;
}
