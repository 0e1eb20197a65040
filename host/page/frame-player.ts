import type { ClearPackets } from '../stream/opening/clear-packets.ts';
import type { OnUnplayable, StreamPlayer } from './stream-player.ts';

/** Seconds of what was played that the browser keeps; the rest is taken out of its memory. */
const KEPT = 10;
/** Octets that may wait for the browser; what comes above that is let go. */
const MAX_WAITING = 1024 * 1024;

/** Plays audio frames, which a browser takes as they are. */
export class FramePlayer implements StreamPlayer {
  readonly #video: HTMLVideoElement;
  readonly #source = new MediaSource();
  readonly #url: string;
  readonly #onUnplayable: OnUnplayable;
  #buffer: SourceBuffer | undefined;
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  #hasEnded = false;

  constructor(video: HTMLVideoElement, contentType: string, onUnplayable: OnUnplayable) {
    this.#video = video;
    this.#onUnplayable = onUnplayable;
    this.#url = URL.createObjectURL(this.#source);
    video.src = this.#url;
    this.#source.addEventListener('sourceopen', () => this.#open(contentType), { once: true });
  }

  write({ payload }: ClearPackets): void {
    const waiting = this.#waiting.reduce((sum, { length }) => sum + length, 0);
    if (waiting > MAX_WAITING) return;
    this.#waiting.push(payload.slice());
    this.#append();
  }

  end(): void {
    this.#hasEnded = true;
    this.#append();
  }

  close(): void {
    this.#waiting = [];
    this.#buffer = undefined;
    this.#video.removeAttribute('src');
    this.#video.load();
    URL.revokeObjectURL(this.#url);
  }

  #open(contentType: string): void {
    if (!MediaSource.isTypeSupported(contentType)) return this.#onUnplayable();
    const buffer = (this.#buffer = this.#source.addSourceBuffer(contentType));
    // The frames tell no time.
    buffer.mode = 'sequence';
    buffer.addEventListener('updateend', () => this.#append());
    this.#append();
  }

  #append(): void {
    const buffer = this.#buffer;
    if (buffer === undefined || buffer.updating) return;
    const past = this.#video.currentTime - KEPT;
    // Looked at seldom: each time the browser throws away what lies before.
    if (buffer.buffered.length > 0 && buffer.buffered.start(0) < past - KEPT) return buffer.remove(0, past);
    const next = this.#waiting.shift();
    if (next !== undefined) buffer.appendBuffer(next);
    else if (this.#hasEnded && this.#source.readyState === 'open') this.#source.endOfStream();
  }
}
