import type { KeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { KeyCarousel } from '../../stream/sealing/key-carousel.ts';
import type { KeySchedule } from '../../headend/keys/key-schedule.ts';
import type { UdpSender } from '../../transport/network/udp-sender.ts';

/** Keeps the key port supplied, and steps with the media time. */
export class KeyAnnouncer {
  readonly #schedule: KeySchedule;
  readonly #carousel: KeyCarousel;
  readonly #sender: UdpSender;
  #mediaTime: number;
  #timer: NodeJS.Timeout | undefined;
  #failure: { readonly cause: unknown } | undefined;

  /** @param mediaTime seconds since 1970 at which the stream starts. */
  constructor(schedule: KeySchedule, grants: readonly KeyMessage[], sender: UdpSender, mediaTime: number) {
    this.#schedule = schedule;
    this.#carousel = new KeyCarousel(grants);
    this.#sender = sender;
    this.#mediaTime = mediaTime;
  }

  /** Begins to send, and repeats until `stop`. */
  start(): void {
    this.#send();
  }

  /**
   * Media time has come to a new second; keys that are due from here on go out before this returns.
   * @throws TransportError `UDP_SEND`.
   */
  advance(mediaTime: number): void {
    if (this.#failure !== undefined) throw this.#failure.cause;
    this.#mediaTime = mediaTime;
    this.#send();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #send(): void {
    const now = performance.now();
    const datagrams = this.#carousel.due(now, this.#schedule.messages(this.#mediaTime));
    for (const datagram of datagrams) this.#sender.send(datagram);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#repeat(), Math.ceil(this.#carousel.nextAt - now));
  }

  #repeat(): void {
    try {
      this.#send();
    } catch (error) {
      // Thrown by the next `advance`.
      this.#failure = { cause: error };
    }
  }
}
