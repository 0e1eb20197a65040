import type { Clock } from '../../clock/clock.ts';
import { Lateness } from './lateness.ts';
import { SendTimer } from './send-timer.ts';

/** Packets that go out together at most: they fill half of a receive buffer of 212,992 octets. */
const MAX_BURST = 48;
/** Packets that wait for each other before they go: the timer may be late, and more are due then. */
const GOOD_BURST = 32;
/** ms between bursts of packets that are late, in which a receiver takes one from its buffer. */
const BURST_GAP = 0.25;
/** ms that packets wait for each other at most. A slow stream wakes the process once in as long. */
const MAX_WAIT = 10;
/** ms; a stream that is later than this goes on from the present instead of catching up: its source stood still. */
const MAX_LATE = 1000;
/** ms that a source which cannot wait may lie behind. */
const MAX_LAG = 1000;

/** What is paced: a packet with its ms of media time. */
export interface TimedPacket {
  readonly at: number;
}

/** Lets packets go at their media time, times the speed, or some ms later, many at a time. */
export class Pacer {
  /** How late packets went. */
  readonly lateness = new Lateness();
  readonly #speed: number;
  readonly #clock: Clock;
  readonly #timer: SendTimer;
  /** The clock's ms at media time 0. */
  #base = 0;
  #burst = 0;
  #maxLate = MAX_LATE;
  /** The clock's ms when packets went out last after a wait. */
  #woken = -Infinity;
  /** ms of the clock from one packet to the next, as in the newest group. */
  #spacing = 0;
  /** The clock's ms at which the last packet of the last group was due. */
  #last: number | undefined;

  /** @param speed seconds of media in a second; 1 is the source's own. */
  constructor(speed: number, clock: Clock) {
    this.#speed = speed;
    this.#clock = clock;
    this.#timer = SendTimer.of(clock);
  }

  /**
   * Starts the stream.
   * @param at ms of media time of the first packet.
   * @param slack ms until the packet is due. A later group may take so much longer to fill than the first one.
   */
  start(at: number, slack: number): void {
    this.#base = this.#clock.monotonic() + (slack - at) / this.#speed;
  }

  /**
   * Starts a stream whose packets are due as they come. What is late goes at once, however late it is.
   * @param base ms of the clock at media time 0.
   */
  startAt(base: number): void {
    this.#base = base;
    this.#maxLate = Infinity;
  }

  /**
   * Makes the next packets due earlier when the source runs ahead of this machine's clock.
   * @param lag ms that octets of the source have waited.
   */
  catchUp(lag: number): void {
    if (lag > MAX_LAG) this.#base -= lag - MAX_LAG;
  }

  /** ms until a packet is due; 0 when it is late. @param at ms of media time. */
  timeUntil(at: number): number {
    return Math.max(0, this.#base + at / this.#speed - this.#clock.monotonic());
  }

  /**
   * Waits until packets are due.
   * @param packets in the order of their media time; a group.
   * @param from place of the first that has not gone yet.
   * @returns the place after the last that goes now: one more than `from` at least, {@link MAX_BURST} at most.
   */
  async next(packets: readonly TimedPacket[], from: number): Promise<number> {
    if (from === 0) this.#measure(packets);
    let now = this.#clock.monotonic();
    const late = now - this.#dueAt(packets[from]!);
    if (late > this.#maxLate) this.#base += late;
    const due = this.#dueAt(packets[from]!);
    if (due > now || this.#burst >= MAX_BURST) {
      await (due > now
        ? this.#timer.wait(due, this.#latest(packets, from, due))
        : this.#timer.wait(now + BURST_GAP, now + BURST_GAP));
      now = this.#clock.monotonic();
      this.#woken = now;
      this.#burst = 0;
    }
    const end = Math.min(packets.length, from + MAX_BURST - this.#burst);
    let to = from;
    do {
      this.lateness.add(now - this.#dueAt(packets[to]!));
      to += 1;
    } while (to < end && this.#dueAt(packets[to]!) <= now);
    this.#burst += to - from;
    return to;
  }

  #dueAt({ at }: TimedPacket): number {
    return this.#base + at / this.#speed;
  }

  /** When so many are due that they have to go; sooner where the stream is slow. */
  #latest(packets: readonly TimedPacket[], from: number, due: number): number {
    const last = packets[from + GOOD_BURST - 1];
    const full = last === undefined ? due + (GOOD_BURST - 1) * this.#spacing : this.#dueAt(last);
    return Math.max(due, Math.min(full, this.#woken + MAX_WAIT));
  }

  #measure(packets: readonly TimedPacket[]): void {
    const from = this.#dueAt(packets[0]!);
    const to = this.#dueAt(packets.at(-1)!);
    // A group of one packet says nothing by itself.
    if (packets.length > 1) this.#spacing = (to - from) / (packets.length - 1);
    else if (this.#last !== undefined) this.#spacing = Math.max(0, from - this.#last);
    this.#last = to;
  }
}
