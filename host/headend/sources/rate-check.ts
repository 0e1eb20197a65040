import type { MediaChunk } from './media-source.ts';
import type { Packer } from './rate-packer.ts';

/** ms that are measured. */
const MEASURED = 5000;
/** Octets that are measured at most. */
const MAX_OCTETS = 0x400000;
/** A rate fits when it is off by no more than a twentieth. */
const TOLERANCE = 20;

/** Tells whether a source runs at the rate that it is said to have: by its own clock, or by its arrival. */
export class RateCheck {
  readonly #rate: number;
  readonly #onWrong: (measured: number) => void;
  #own: Packer | undefined;
  #isOver = false;
  #octets = 0;
  #duration = 0;
  #start: number | undefined;

  /**
   * @param rate bit/s.
   * @param own packs by the source's own clock; nothing when it has none.
   * @param onWrong called once at most, with the rate that was measured in bit/s.
   */
  constructor(rate: number, own: Packer | undefined, onWrong: (measured: number) => void) {
    this.#rate = rate;
    this.#own = own;
    this.#onWrong = onWrong;
  }

  /** Takes what was read of the source. */
  add({ octets, arrival }: MediaChunk): void {
    if (this.#isOver) return;
    if (this.#own === undefined) this.#addArrived(octets.length, arrival);
    else this.#addPacked(octets);
    if (this.#duration >= MEASURED || this.#octets > MAX_OCTETS) this.#end();
  }

  #addPacked(octets: Uint8Array): void {
    try {
      for (const payload of this.#own!.push(octets)) {
        this.#octets += payload.octets.length;
        this.#duration += payload.duration;
      }
    } catch {
      // It has no clock.
      this.#isOver = true;
    }
  }

  #addArrived(octets: number, arrival: number | undefined): void {
    if (arrival === undefined) return;
    // The first octets took their time before they came.
    if (this.#start === undefined) this.#start = arrival;
    else this.#octets += octets;
    this.#duration = arrival - this.#start;
  }

  #end(): void {
    this.#isOver = true;
    this.#own = undefined;
    if (this.#duration < MEASURED / TOLERANCE) return;
    const measured = Math.round((this.#octets * 8000) / this.#duration);
    if (Math.abs(measured - this.#rate) * TOLERANCE > this.#rate) this.#onWrong(measured);
  }
}
