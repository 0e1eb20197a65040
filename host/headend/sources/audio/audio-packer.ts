import { concat } from '../../../../apdu/octets.ts';
import type { MediaPayload } from '../../../stream/sealing/group-sealer.ts';
import { type MediaTimeline, TICKS_PER_SECOND } from '../media-timeline.ts';
import type { Packer } from '../rate-packer.ts';
import { RateTicks } from '../rate-ticks.ts';
import type { AudioFrame } from './audio-frame.ts';
import { ENOUGH_FOR_TAG, readTagLength } from './audio-tag.ts';
import { isTableOfContents } from './mpeg-audio-frame.ts';
import { ENOUGH_FOR_HEADER, readAudioFrame } from './read-audio-frame.ts';

/** Ticks; payloads are filled as long as they do not last longer: the least closing time of a group. */
const MAX_FILLING = TICKS_PER_SECOND / 5;
/** bit/s at which tags and octets between frames are sent. They last no time. */
const SILENT_RATE = 10_000_000;

/**
 * Packs MPEG audio and ADTS. Times come from the frames: each lasts as many samples as its header says, whatever the
 * bit rate. A frame is divided only when it is longer than a payload. Tags and octets that are no frame are sent like
 * all others, and nobody is charged for their time.
 */
export class AudioPacker implements Packer {
  readonly startedAt = undefined;
  readonly #timeline: MediaTimeline;
  readonly #size: number;
  readonly #ofSamples = new RateTicks();
  readonly #ofSilence = new RateTicks();
  #input: Uint8Array = new Uint8Array(0);
  /** Whether a frame or a tag ended where the next octets start. */
  #inLine = false;
  /** Octets of a tag that are still to come. */
  #tagLeft = 0;
  #payload: Uint8Array = new Uint8Array(0);
  #payloadTicks = 0;
  #ready: MediaPayload[] = [];

  /** @param size most octets of a payload. */
  constructor(timeline: MediaTimeline, size: number) {
    this.#timeline = timeline;
    this.#size = size;
  }

  push(chunk: Uint8Array): MediaPayload[] {
    this.#input = this.#input.length === 0 ? chunk : concat(this.#input, chunk);
    this.#cut(false);
    return this.#takeReady();
  }

  flush(): MediaPayload[] {
    this.#cut(true);
    this.#addSilent(this.#input);
    this.#input = new Uint8Array(0);
    this.#closePayload();
    return this.#takeReady();
  }

  #takeReady(): MediaPayload[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  /** @param isEnd whether nothing more comes. */
  #cut(isEnd: boolean): void {
    const input = this.#input;
    let at = 0;
    while (at < input.length) {
      const left = input.length - at;
      if (this.#tagLeft > 0) {
        const length = Math.min(this.#tagLeft, left);
        this.#addSilent(input.subarray(at, at + length));
        this.#tagLeft -= length;
        at += length;
        continue;
      }
      if (left < ENOUGH_FOR_TAG && !isEnd) break;
      const tag = readTagLength(input, at);
      if (tag !== undefined) {
        this.#tagLeft = tag;
        this.#inLine = true;
        continue;
      }
      const frame = readAudioFrame(input, at);
      if (frame !== undefined) {
        const end = at + frame.length;
        // Where no frame ended before, the next one has to be seen too.
        const needed = this.#inLine ? end : end + ENOUGH_FOR_TAG;
        if (input.length < needed && !isEnd) break;
        if (end <= input.length && (this.#inLine || this.#continues(input, end))) {
          this.#addFrame(input.subarray(at, end), frame);
          this.#inLine = true;
          at = end;
          continue;
        }
      }
      const next = this.#findStart(input, at + 1, isEnd);
      this.#inLine = false;
      this.#addSilent(input.subarray(at, next));
      at = next;
    }
    this.#input = input.slice(at);
  }

  #continues(input: Uint8Array, at: number): boolean {
    return at === input.length || readAudioFrame(input, at) !== undefined || readTagLength(input, at) !== undefined;
  }

  /** Where a frame or a tag may start next. */
  #findStart(input: Uint8Array, from: number, isEnd: boolean): number {
    const end = isEnd ? input.length : input.length - ENOUGH_FOR_HEADER;
    for (let at = from; at < end; at++) {
      if (readAudioFrame(input, at) !== undefined || readTagLength(input, at) !== undefined) return at;
    }
    return Math.max(from, end);
  }

  #addFrame(octets: Uint8Array, { samples, rate }: AudioFrame): void {
    const ticks = isTableOfContents(octets) ? 0 : this.#ofSamples.take(samples, rate);
    const isFull = this.#payload.length + octets.length > this.#size || this.#payloadTicks + ticks > MAX_FILLING;
    if (isFull) this.#closePayload();
    let before = 0;
    for (let at = 0; at < octets.length; at += this.#size) {
      const part = octets.subarray(at, at + this.#size);
      const until = Math.floor((ticks * (at + part.length)) / octets.length);
      this.#payload = this.#payload.length === 0 ? part : concat(this.#payload, part);
      this.#payloadTicks += until - before;
      before = until;
      if (at + this.#size < octets.length) this.#closePayload();
    }
  }

  /** Adds octets that last no time. */
  #addSilent(octets: Uint8Array): void {
    if (octets.length === 0) return;
    this.#closePayload();
    for (let at = 0; at < octets.length; at += this.#size) {
      const part = octets.subarray(at, at + this.#size);
      this.#ready.push({ octets: part, ...this.#timeline.charge(0) });
      this.#timeline.pass(this.#ofSilence.take(part.length * 8, SILENT_RATE));
    }
  }

  #closePayload(): void {
    if (this.#payload.length === 0) return;
    this.#ready.push({ octets: this.#payload, ...this.#timeline.advance(this.#payloadTicks) });
    this.#payload = new Uint8Array(0);
    this.#payloadTicks = 0;
  }
}
