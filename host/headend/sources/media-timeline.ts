/** Ticks of the MPEG system clock in a second, ISO/IEC 13818-1 2.4.2.1. */
export const TICKS_PER_SECOND = 27_000_000;
/** Ticks in a millisecond. */
export const TICKS_PER_MS = TICKS_PER_SECOND / 1000;

/** RTP timestamps of MPEG-TS, and here of plain data too, count 90 kHz (RFC 2250 2). */
const TICKS_PER_RTP = TICKS_PER_SECOND / 90_000;

/** The times of a payload, as the sealer takes them. */
export interface MediaSpan {
  readonly at: number;
  readonly duration: number;
  readonly timestamp: number;
}

/**
 * Counts the media time of a stream in whole ticks. Milliseconds are cut from the sum, so that none is lost or counted
 * twice.
 */
export class MediaTimeline {
  readonly #firstTimestamp: number;
  #ticks = 0;
  /** Those that payloads lasted. */
  #charged = 0;

  /** @param firstTimestamp RTP timestamp of the first payload, u32; unpredictable (RFC 3550 5.1). */
  constructor(firstTimestamp: number) {
    this.#firstTimestamp = firstTimestamp;
  }

  /** Ticks from the start of the stream to the next payload. */
  get position(): number {
    return this.#ticks;
  }

  /**
   * Gives the next payload its times.
   * @param ticks whole ticks that it lasts.
   */
  advance(ticks: number): MediaSpan {
    const span = this.charge(ticks);
    this.#ticks += ticks;
    return span;
  }

  /**
   * Gives a payload its times without moving on: what it lasts is over already.
   * @param ticks whole ticks.
   */
  charge(ticks: number): MediaSpan {
    const before = this.#charged;
    this.#charged += ticks;
    return {
      at: this.#ticks / TICKS_PER_MS,
      duration: Math.floor(this.#charged / TICKS_PER_MS) - Math.floor(before / TICKS_PER_MS),
      timestamp: (this.#firstTimestamp + Math.floor(this.#ticks / TICKS_PER_RTP)) % 0x100000000,
    };
  }

  /** Moves on by whole ticks that nobody is charged for. */
  pass(ticks: number): void {
    this.#ticks += ticks;
  }
}
