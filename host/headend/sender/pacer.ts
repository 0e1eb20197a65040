import { setTimeout as sleep } from 'node:timers/promises';

/** Packets that go out without a pause when several are late: half of what a receive buffer of 212,992 octets holds. */
const MAX_BURST = 48;
/** ms late after which the stream goes on from here instead of catching up: the source stood still. */
const MAX_LATE = 1000;
/** ms that a source which cannot wait may lie behind. */
const MAX_LAG = 1000;

/** Lets packets go at their media time, times the speed. */
export class Pacer {
  readonly #speed: number;
  /** ms of this machine's clock at media time 0. */
  #base = 0;
  #burst = 0;

  /** @param speed 1 is the source's own. */
  constructor(speed: number) {
    this.#speed = speed;
  }

  /**
   * Starts the stream.
   * @param at ms of media time of the first packet.
   * @param slack ms until it is due: as much as a later group may take longer to fill than the first one.
   */
  begin(at: number, slack: number): void {
    this.#base = performance.now() + (slack - at) / this.#speed;
  }

  /**
   * Goes faster for a while, when the source runs ahead of this machine's clock.
   * @param lag ms that its octets have waited.
   */
  hurry(lag: number): void {
    if (lag > MAX_LAG) this.#base -= lag - MAX_LAG;
  }

  /**
   * Waits until a packet is due.
   * @param at ms of media time.
   */
  async until(at: number): Promise<void> {
    const now = performance.now();
    const due = at / this.#speed;
    if (now - this.#base - due > MAX_LATE) this.#base = now - due;
    const wait = this.#base + due - now;
    this.#burst += 1;
    if (wait > 0 || this.#burst >= MAX_BURST) {
      await sleep(Math.max(1, Math.ceil(wait)));
      this.#burst = 0;
    }
  }
}
