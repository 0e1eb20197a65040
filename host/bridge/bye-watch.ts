import { leavingStreams } from '../stream/rtcp-bye.ts';
import type { MediaIntake } from './media-intake.ts';

/** ms after a BYE for what is still on its way. */
const LAST_PACKETS = 300;
/** ms of media after a BYE that show it to be forged: RTCP is not authenticated. */
const FORGED = 1000;

/** Tells the end of a stream from a BYE that somebody else sent. */
export class ByeWatch {
  #at: number | undefined;

  /** @param datagram of the RTCP port. */
  hear(datagram: Uint8Array, intake: MediaIntake, now: number): void {
    if (leavingStreams(datagram).some((ssrc) => intake.follows(ssrc))) this.#at ??= now;
  }

  /** Whether the stream has ended and all of it that came has been dealt with. */
  over(intake: MediaIntake, now: number): boolean {
    if (this.#at === undefined) return false;
    if (intake.lastArrival - this.#at > FORGED) this.#at = undefined;
    return this.#at !== undefined && intake.empty && now - Math.max(this.#at, intake.lastArrival) > LAST_PACKETS;
  }
}
