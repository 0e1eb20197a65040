import { readLeavingStreams } from '../stream/packet/rtcp-bye.ts';
import type { MediaIntake } from './intake/media-intake.ts';

/** ms of silence after a BYE that show the end, at least and at most. Packets on their way may still come. */
const MIN_SILENCE = 300;
const MAX_SILENCE = 10_000;
/** Longest gaps between groups that the silence has to last, as a slow stream is silent between its groups. */
const SILENCE_IN_GAPS = 3;
/** ms of one period; the gaps of the present period and of the one before it count. */
const GAP_PERIOD = 20_000;
/** ms; while one group has come, gaps are expected to be no longer than it is, or than this. */
const MIN_FIRST_GAP = 500;
/** ms for which media may go on after a true BYE. RTCP is not authenticated, so a BYE may be forged. */
const MAX_MEDIA_AFTER_BYE = 1000;

/** ms after that silence in which what was received before can still be opened; then what is left is not the stream's. */
const MAX_LEFT_OVER = 3500;

type Intake = Pick<MediaIntake, 'lastOwnArrival' | 'isEmpty' | 'canEnd'>;

/** Tells the end of a stream from a BYE that somebody else sent. */
export class ByeWatch {
  #byeAt: number | undefined;
  #lastGroupAt: number | undefined;
  #periodFrom = -Infinity;
  #longestGap = 0;
  /** The longest gap of the period before; Infinity while there was none, as the pace of the stream is not known. */
  #longestGapBefore = Infinity;

  /**
   * A group was opened, so it is authentic: nobody else can make the stream look faster than it is.
   * @param arrival ms, of its last packet.
   * @param duration ms of media in it; 0 for data that come now and then.
   */
  groupOpened(arrival: number, duration = 0): void {
    if (this.#lastGroupAt !== undefined) {
      if (arrival - this.#periodFrom > GAP_PERIOD) {
        this.#longestGapBefore = this.#longestGap;
        this.#longestGap = 0;
        this.#periodFrom = arrival;
      }
      this.#longestGap = Math.max(this.#longestGap, arrival - this.#lastGroupAt);
    } else if (duration > 0) {
      this.#longestGapBefore = Math.max(duration, MIN_FIRST_GAP);
    }
    this.#lastGroupAt = arrival;
  }

  /** Takes in a datagram of the RTCP port. */
  receive(datagram: Uint8Array, intake: Intake, now: number): void {
    if (readLeavingStreams(datagram).some((ssrc) => intake.canEnd(ssrc))) this.#byeAt ??= now;
  }

  /**
   * Whether the stream has ended and everything that came of it has been dealt with. Groups that were opened show that
   * it goes on: packets alone do not, as anybody can send them.
   * @param isBlocked whether no group can be opened at present, so that packets have to do.
   */
  isOver(intake: Intake, now: number, isBlocked: () => boolean): boolean {
    if (this.#byeAt === undefined) return false;
    const newest = isBlocked() ? intake.lastOwnArrival : (this.#lastGroupAt ?? intake.lastOwnArrival);
    if (newest - this.#byeAt > MAX_MEDIA_AFTER_BYE) {
      this.#byeAt = undefined;
      return false;
    }
    const silent = now - Math.max(this.#byeAt, newest) - this.#silenceAfter(this.#byeAt);
    return silent > (intake.isEmpty ? 0 : MAX_LEFT_OVER);
  }

  #silenceAfter(byeAt: number): number {
    const presentGap = byeAt - (this.#lastGroupAt ?? byeAt);
    const longest = Math.max(this.#longestGap, this.#longestGapBefore, presentGap);
    return Math.min(Math.max(SILENCE_IN_GAPS * longest, MIN_SILENCE), MAX_SILENCE);
  }
}
