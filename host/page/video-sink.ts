import { detectContentType } from '../player/content-type.ts';
import type { ClearPackets } from '../stream/opening/clear-packets.ts';
import type { ClearSink } from '../stream/opening/clear-sink.ts';
import { FramePlayer } from './frame-player.ts';
import type { StreamPlayer } from './stream-player.ts';
import { TransportStreamPlayer } from './transport-stream-player.ts';

/** Seconds of media that may wait to be shown; nothing more is paid before they are. */
const MAX_AHEAD = 8;

/** Where a page shows what its bridge opens. It takes the stream only while it plays, as what is taken is paid. */
export class VideoSink implements ClearSink {
  onReady: (() => void) | undefined;
  /** Called when the browser cannot show what comes. */
  onUnplayable: (() => void) | undefined;
  readonly #video: HTMLVideoElement;
  #player: StreamPlayer | undefined;
  /** Whether the user wants to see the stream. */
  isWanted = false;
  #wasFull = false;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
    video.addEventListener('timeupdate', () => {
      if (this.#wasFull && this.isReady) this.onReady?.();
    });
  }

  get isReady(): boolean {
    this.#wasFull = this.isWanted && this.#secondsAhead() > MAX_AHEAD;
    return this.isWanted && !this.#wasFull;
  }

  /** From now on takes the stream. */
  play(): void {
    if (this.isWanted) return;
    // What is left of a programme that ended.
    this.stop();
    this.isWanted = true;
    this.onReady?.();
  }

  /** Takes no more, and shows no more. */
  stop(): void {
    this.isWanted = false;
    this.#player?.close();
    this.#player = undefined;
  }

  /** Nothing more comes; what has come is shown. */
  end(): void {
    this.isWanted = false;
    this.#player?.end();
  }

  write(clear: ClearPackets): void {
    if (!this.isWanted) return;
    this.#player ??= this.#open(detectContentType(clear));
    this.#player.write(clear);
  }

  #open(contentType: string): StreamPlayer {
    const onUnplayable = () => this.onUnplayable?.();
    const player =
      contentType === 'video/mp2t'
        ? new TransportStreamPlayer(this.#video, onUnplayable)
        : new FramePlayer(this.#video, contentType, onUnplayable);
    void this.#start();
    return player;
  }

  async #start(): Promise<void> {
    try {
      await this.#video.play();
    } catch {
      // Without a click browsers play no sound; and a stop ends a start.
      this.#video.muted = true;
      await this.#video.play().catch(() => undefined);
    }
  }

  #secondsAhead(): number {
    const { buffered, currentTime } = this.#video;
    return buffered.length === 0 ? 0 : buffered.end(buffered.length - 1) - currentTime;
  }
}
