import type { Clock } from '../../clock/clock.ts';

/** Packets that go out without a pause when several are late: they fill half of a receive buffer of 212,992 octets. */
const MAX_BURST = 48;
/** ms; a stream that is later than this goes on from the present instead of catching up: its source stood still. */
const MAX_LATE = 1000;
/** ms that a source which cannot wait may lie behind. */
const MAX_LAG = 1000;

/** Lets packets go at their media time, times the speed. */
export class Pacer {
  readonly #speed: number;
  readonly #clock: Clock;
  /** The clock's ms at media time 0. */
  #base = 0;
  #burst = 0;
  #maxLate = MAX_LATE;

  /** @param speed seconds of media in a second; 1 is the source's own. */
  constructor(speed: number, clock: Clock) {
    this.#speed = speed;
    this.#clock = clock;
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
   * Waits until a packet is due.
   * @param at ms of media time.
   */
  async waitUntil(at: number): Promise<void> {
    const now = this.#clock.monotonic();
    const due = at / this.#speed;
    if (now - this.#base - due > this.#maxLate) this.#base = now - due;
    const wait = this.#base + due - now;
    this.#burst += 1;
    if (wait > 0 || this.#burst >= MAX_BURST) {
      await this.#clock.sleep(Math.max(1, Math.ceil(wait)));
      this.#burst = 0;
    }
  }
}
