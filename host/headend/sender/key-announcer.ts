import type { Clock } from '../../clock/clock.ts';
import { KeyCarousel } from '../../stream/sealing/key-carousel.ts';
import type { UdpSender } from '../../transport/network/udp-sender.ts';
import type { ContentKeys } from './content-keys.ts';

/** Sends the key messages that are due at the media time, and repeats them. */
export class KeyAnnouncer {
  readonly #keys: ContentKeys;
  readonly #sender: UdpSender;
  readonly #clock: Clock;
  readonly #isLive: boolean;
  readonly #carousel = new KeyCarousel();
  readonly #stop = new AbortController();
  #mediaTime: number;
  #repeating: Promise<void> | undefined;
  #failure: { readonly cause: unknown } | undefined;

  /**
   * @param stream its media time is that at which it starts, in seconds since 1970.
   * @param isLive whether media time is the clock's. It then goes on while the source is silent, and the next keys are
   *   sent in time for what follows.
   */
  constructor(
    keys: ContentKeys,
    sender: UdpSender,
    clock: Clock,
    { mediaTime, isLive }: { readonly mediaTime: number; readonly isLive: boolean },
  ) {
    this.#keys = keys;
    this.#sender = sender;
    this.#clock = clock;
    this.#isLive = isLive;
    this.#mediaTime = mediaTime;
  }

  /** Begins to send, and repeats until `stop`. */
  start(): void {
    this.#send();
    this.#repeating = this.#repeat();
  }

  /**
   * Tells that the media time has come to a new second. New messages go out before this returns.
   * @throws TransportError `UDP_SEND`, also for a repeat that failed since the last call.
   * @throws TollcastError `GRANTS_ENDED`.
   */
  advance(mediaTime: number): void {
    if (this.#failure !== undefined) throw this.#failure.cause;
    this.#mediaTime = mediaTime;
    this.#send();
  }

  /** Ends the repeats. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#repeating;
  }

  #send(): void {
    if (this.#isLive) this.#mediaTime = Math.max(this.#mediaTime, Math.floor(this.#clock.now() / 1000));
    const due = this.#keys.due(this.#mediaTime);
    for (const datagram of this.#carousel.take(this.#clock.monotonic(), due)) this.#sender.send(datagram);
  }

  async #repeat(): Promise<void> {
    const { signal } = this.#stop;
    try {
      while (!signal.aborted) {
        // `advance` may have sent meanwhile: then nothing is due yet, and the next sleep ends when it is.
        await this.#clock.sleep(Math.ceil(this.#carousel.nextAt - this.#clock.monotonic()), signal);
        this.#send();
      }
    } catch (error) {
      if (!signal.aborted) this.#failure = { cause: error };
    }
  }
}
