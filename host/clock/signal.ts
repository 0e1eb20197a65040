import type { Clock } from './clock.ts';

/** Lets a loop wait until something comes in, or for a time. */
export class Signal {
  readonly #clock: Clock;
  readonly #closed = new AbortController();
  #notified = false;
  #wake: (() => void) | undefined;
  /** When the wait that is on ends at the latest. */
  #endsAt = Infinity;
  /** When each sleep that runs ends. */
  readonly #sleeps = new Set<number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something came in: ends a wait, or the next one before it begins. */
  notify(): void {
    this.#notified = true;
    this.#wake?.();
  }

  /** Forgets what came in so far, as it is about to be looked at. */
  reset(): void {
    this.#notified = false;
  }

  /** Waits until something comes in after `reset`, this many ms at most. It may end earlier without a reason. */
  async wait(ms: number): Promise<void> {
    if (this.#notified) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    this.#endsAt = this.#clock.monotonic() + ms;
    // A sleep begun for an earlier wait serves this one too. To begin one for each wait, and cancel it, costs more.
    if (this.#endsAt < Math.min(...this.#sleeps)) void this.#sleep(ms, this.#endsAt);
    await promise;
    this.#wake = undefined;
  }

  /** Ends the sleeps that are left over. */
  close(): void {
    this.#closed.abort();
  }

  async #sleep(ms: number, endsAt: number): Promise<void> {
    this.#sleeps.add(endsAt);
    try {
      await this.#clock.sleep(ms, this.#closed.signal);
    } catch {
      // It was closed.
    }
    this.#sleeps.delete(endsAt);
    if (this.#wake === undefined) return;
    const left = this.#endsAt - this.#clock.monotonic();
    // A sleep may end a little early. One that was begun for an earlier wait goes on, so that it wakes nobody in vain.
    if (left < 1 || this.#closed.signal.aborted) this.#wake();
    else if (this.#endsAt < Math.min(...this.#sleeps)) void this.#sleep(left, this.#endsAt);
  }
}
