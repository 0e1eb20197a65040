import type { Clock } from '../clock/clock.ts';

/** Lets a loop wait until something comes in, or for a time. */
export class Signal {
  readonly #clock: Clock;
  readonly #closed = new AbortController();
  #notified = false;
  #wake: (() => void) | undefined;
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
    const endsAt = this.#clock.monotonic() + ms;
    // A sleep begun for an earlier wait serves this one too. To begin one for each wait, and cancel it, costs more.
    if (endsAt < Math.min(...this.#sleeps)) void this.#sleep(ms, endsAt);
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
    this.#wake?.();
  }
}
