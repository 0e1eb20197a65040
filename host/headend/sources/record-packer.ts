import { concat } from '../../../apdu/octets.ts';
import type { MediaPayload } from '../../stream/sealing/group-sealer.ts';
import { splitRecords } from './media-source.ts';
import { type MediaTimeline, TICKS_PER_MS } from './media-timeline.ts';
import type { Packer } from './rate-packer.ts';
import { RateTicks } from './rate-ticks.ts';

/** ms; a silence that is as long is not charged: the source gave nothing. */
const LONG_SILENCE = 1000;
/** bit/s; what can be made to wait is sent no faster, so that a receiver can follow. */
const MAX_PACE = 10_000_000;
const LINE_FEED = 0x0a;

export interface RecordPackerOptions {
  /** Most octets of a payload. */
  readonly size: number;
  /** Whether the source is text whose lines are records; otherwise its datagrams are, or what came together. */
  readonly lines: boolean;
  /** bit/s by which records are timed; by their arrival when left out. */
  readonly rate?: number | undefined;
}

/**
 * Packs each record of a live source into a payload of its own, at once: a datagram, a line, or what came together. A
 * record that is too long is divided. It is charged the time since the record before it, unless the source was silent.
 */
export class RecordPacker implements Packer {
  readonly #timeline: MediaTimeline;
  readonly #options: RecordPackerOptions;
  readonly #ticks = new RateTicks();
  #startedAt: number | undefined;
  /** ms at which the last record came. */
  #last = 0;
  /** A line that is not whole yet. */
  #line: Uint8Array = new Uint8Array(0);
  /** Ticks that the next payload is charged. */
  #due = 0;

  constructor(timeline: MediaTimeline, options: RecordPackerOptions) {
    this.#timeline = timeline;
    this.#options = options;
  }

  get startedAt(): number | undefined {
    return this.#startedAt;
  }

  push(chunk: Uint8Array, arrival = 0, ends?: readonly number[]): MediaPayload[] {
    if (chunk.length === 0) return [];
    this.#arrive(arrival);
    const records = this.#options.lines ? this.#takeLines(chunk) : splitRecords({ octets: chunk, ends });
    const pace = ends === undefined ? MAX_PACE : Infinity;
    return records.flatMap((record) => this.#pack(record, pace));
  }

  flush(): MediaPayload[] {
    const rest = this.#line;
    this.#line = new Uint8Array(0);
    return this.#pack(rest, MAX_PACE);
  }

  /** Moves the timeline to the time of arrival, unless it is there already. */
  #arrive(arrival: number): void {
    const silence = this.#startedAt === undefined ? 0 : arrival - this.#last;
    this.#startedAt ??= arrival;
    if (this.#options.rate !== undefined) return;
    this.#last = arrival;
    if (silence > 0 && silence < LONG_SILENCE) this.#due += Math.floor(silence * TICKS_PER_MS);
    const position = Math.floor((arrival - this.#startedAt) * TICKS_PER_MS);
    this.#timeline.pass(Math.max(0, position - this.#timeline.position));
  }

  #takeLines(chunk: Uint8Array): Uint8Array[] {
    const lines: Uint8Array[] = [];
    let at = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, at)) {
      lines.push(concat(this.#line, chunk.subarray(at, end + 1)));
      this.#line = new Uint8Array(0);
      at = end + 1;
    }
    this.#line = concat(this.#line, chunk.subarray(at));
    // A line that is too long for a payload is divided anyway.
    const { size } = this.#options;
    const whole = this.#line.length - (this.#line.length % size);
    if (whole > 0) {
      lines.push(this.#line.subarray(0, whole));
      this.#line = this.#line.slice(whole);
    }
    return lines;
  }

  #pack(record: Uint8Array, pace: number): MediaPayload[] {
    const { size, rate } = this.#options;
    const payloads: MediaPayload[] = [];
    for (let at = 0; at < record.length; at += size) {
      const octets = record.subarray(at, at + size);
      if (rate === undefined) {
        payloads.push({ octets, ...this.#timeline.charge(this.#due) });
        this.#due = 0;
        if (pace < Infinity) this.#timeline.pass(this.#ticks.take(octets.length * 8, pace));
      } else {
        payloads.push({ octets, ...this.#timeline.advance(this.#ticks.take(octets.length * 8, rate)) });
      }
    }
    return payloads;
  }
}
