import type { Writable } from 'node:stream';
import { type Clock, systemClock } from '../clock/clock.ts';

/** ms without reading after which a player counts as paused, if at least so many octets wait for it. */
const MAX_STALL = 1000;
const MIN_STALLED = 16 * 1024;
/** Octets that may wait for one player, those that the system holds included, as far as it tells. */
const MAX_UNREAD = 288 * 1024;

/** What waits for one player, and whether the player reads it. */
export class PlayerQueue {
  readonly #stream: Writable;
  readonly #clock: Clock;
  readonly #onReady: () => void;
  #written = 0;
  /** Octets that the system holds for the player, as far as it tells. */
  #held = 0;
  /** The most octets that the player is known to have read. */
  #read = 0;
  /** ms, when it was last seen reading, or had nothing to read. */
  #readAt: number;
  #wasReady = true;
  readonly #maxWaiting: number;

  /**
   * @param maxWaiting octets that may wait in the stream; a group, a batch and what the system holds come on top.
   * @param onReady called when the player takes more again.
   */
  constructor(stream: Writable, maxWaiting: number, onReady: () => void, clock: Clock = systemClock) {
    this.#maxWaiting = maxWaiting;
    this.#stream = stream;
    this.#clock = clock;
    this.#onReady = onReady;
    this.#readAt = clock.monotonic();
  }

  /** Octets that the player has not read. */
  get waiting(): number {
    return this.#stream.writableLength + this.#held;
  }

  /** Octets that the player is not known to have read. */
  get unread(): number {
    return this.#written - this.#read;
  }

  /** Whether the player reads. */
  get isReady(): boolean {
    const isStalled = this.waiting >= MIN_STALLED && this.#clock.monotonic() - this.#readAt > MAX_STALL;
    const isFull = this.#stream.writableLength >= this.#maxWaiting || this.waiting >= MAX_UNREAD;
    this.#wasReady = !isFull && !isStalled;
    return this.#wasReady;
  }

  /** @param octets are kept until they are written. */
  write(octets: Uint8Array): void {
    if (this.waiting === 0) this.#readAt = this.#clock.monotonic();
    this.#written += octets.length;
    this.#stream.write(octets, () => this.#look());
  }

  /** The system tells how much of what was written the player has not read. */
  setHeld(octets: number): void {
    this.#held = octets;
    this.#look();
  }

  #look(): void {
    const read = this.#written - this.waiting;
    if (read > this.#read) {
      this.#read = read;
      this.#readAt = this.#clock.monotonic();
    }
    if (!this.#wasReady && this.isReady) this.#onReady();
  }
}
