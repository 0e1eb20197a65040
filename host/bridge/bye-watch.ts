import { leavingStreams } from '../stream/packet/rtcp-bye.ts';
import type { MediaIntake } from './media-intake.ts';

/** ms of silence after a BYE that are awaited at least and at most: what is on its way may come, and the next group of a slow stream. */
const LAST_PACKETS = [300, 10_000] as const;
/** Silence that shows the end, in longest gaps between groups. */
const GAPS = 3;
/** ms for which a gap counts; it counts for as long again at most. */
const LATELY = 20_000;
/** ms of media after a BYE that show it to be forged: RTCP is not authenticated. */
const FORGED = 1000;

type Heard = Pick<MediaIntake, 'lastArrival' | 'empty' | 'follows'>;

/** Tells the end of a stream from a BYE that somebody else sent. */
export class ByeWatch {
  #at: number | undefined;
  #lastGroup: number | undefined;
  #since = -Infinity;
  /** Longest gap between groups since then, and in the time before; while there was none, nothing is known of the stream's pace. */
  #longest = 0;
  #longestBefore = Infinity;

  /** A group was opened, so it is authentic: others cannot make the stream look faster than it is. @param arrival ms, of its last packet. */
  opened(arrival: number): void {
    if (this.#lastGroup !== undefined) {
      if (arrival - this.#since > LATELY) {
        this.#longestBefore = this.#longest;
        this.#longest = 0;
        this.#since = arrival;
      }
      this.#longest = Math.max(this.#longest, arrival - this.#lastGroup);
    }
    this.#lastGroup = arrival;
  }

  /** @param datagram of the RTCP port. */
  hear(datagram: Uint8Array, intake: Heard, now: number): void {
    if (leavingStreams(datagram).some((ssrc) => intake.follows(ssrc))) this.#at ??= now;
  }

  /** Whether the stream has ended and all of it that came has been dealt with. */
  over(intake: Heard, now: number): boolean {
    if (this.#at === undefined) return false;
    if (intake.lastArrival - this.#at > FORGED) this.#at = undefined;
    if (this.#at === undefined || !intake.empty) return false;
    return now - Math.max(this.#at, intake.lastArrival) > this.#silenceAfter(this.#at);
  }

  #silenceAfter(bye: number): number {
    const present = bye - (this.#lastGroup ?? bye);
    const [least, most] = LAST_PACKETS;
    return Math.min(Math.max(GAPS * Math.max(this.#longest, this.#longestBefore, present), least), most);
  }
}
