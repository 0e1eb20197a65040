import { TICKS_PER_SECOND } from './media-timeline.ts';

/** Counts what units last at a rate in whole ticks, and keeps the fraction for the next ones. */
export class RateTicks {
  /** What whole ticks have left over so far, in 1 / rate of a tick. */
  #fraction = 0;

  /**
   * @param units bits or samples.
   * @param rate units in a second; when it changes, the fraction, which is less than a tick, counts at the new one.
   * @returns whole ticks.
   */
  take(units: number, rate: number): number {
    const scaled = units * TICKS_PER_SECOND + this.#fraction;
    this.#fraction = scaled % rate;
    return (scaled - this.#fraction) / rate;
  }
}
