import type { MediaPayload } from '../../stream/sealing/group-sealer.ts';
import type { MediaTimeline } from './media-timeline.ts';
import { RateTicks } from './rate-ticks.ts';

/** Cuts the octets of a source into payloads with their times. Nothing is dropped, reordered or added. */
export interface Packer {
  /**
   * ms of the clock at which media time 0 is due, where payloads are due as they come. Others follow each other at the
   * pace of their times, from whenever the first one goes out.
   */
  readonly startedAt: number | undefined;
  /**
   * Takes the next octets.
   * @param chunk may be kept; it must not change afterwards.
   * @param arrival ms of the clock at which it came, from a source that is not a file.
   * @param ends where each datagram ends in the chunk, from a source of datagrams.
   * @returns the payloads that are complete.
   */
  push(chunk: Uint8Array, arrival?: number, ends?: readonly number[]): MediaPayload[];
  /** Gives what is left at the end of the source. */
  flush(): MediaPayload[];
}

/** bit/s; at this rate a full payload lasts 1.1 s. */
export const MIN_RATE = 10_000;
/** bit/s. */
export const MAX_RATE = 1_000_000_000;

/** Cuts octets of any kind into equal payloads, which follow each other at a constant rate. */
export class RatePacker implements Packer {
  readonly startedAt = undefined;
  readonly #timeline: MediaTimeline;
  readonly #rate: number;
  readonly #size: number;
  #rest = new Uint8Array(0);
  readonly #ticks = new RateTicks();

  /**
   * @param rate bit/s.
   * @param size octets of a payload.
   */
  constructor(timeline: MediaTimeline, rate: number, size: number) {
    this.#timeline = timeline;
    this.#rate = rate;
    this.#size = size;
  }

  push(chunk: Uint8Array): MediaPayload[] {
    const payloads: MediaPayload[] = [];
    let at = 0;
    if (this.#rest.length > 0) {
      at = Math.min(this.#size - this.#rest.length, chunk.length);
      const whole = new Uint8Array(this.#rest.length + at);
      whole.set(this.#rest);
      whole.set(chunk.subarray(0, at), this.#rest.length);
      this.#rest = whole;
      if (whole.length < this.#size) return payloads;
      payloads.push(this.#payload(whole));
    }
    for (; at + this.#size <= chunk.length; at += this.#size) {
      payloads.push(this.#payload(chunk.subarray(at, at + this.#size)));
    }
    this.#rest = chunk.slice(at);
    return payloads;
  }

  flush(): MediaPayload[] {
    const rest = this.#rest;
    this.#rest = new Uint8Array(0);
    return rest.length === 0 ? [] : [this.#payload(rest)];
  }

  #payload(octets: Uint8Array): MediaPayload {
    return { octets, ...this.#timeline.advance(this.#ticks.take(octets.length * 8, this.#rate)) };
  }
}
