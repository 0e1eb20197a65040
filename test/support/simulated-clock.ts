import { setImmediate as settle } from 'node:timers/promises';
import type { Clock } from '../../host/clock/clock.ts';

/** Turns of the event loop for which time stands still after a wake-up. */
const MAX_TURNS = 200;

/** A clock that stands still until a test lets time pass. */
export class SimulatedClock implements Clock {
  /** Wall clock when `monotonic` was 0. A sum of the steps would drift, as some have fractions. */
  #origin: number;
  #monotonic = 0;
  /** Sleepers that there are again when what was woken last sleeps. */
  #expected = 0;
  readonly #sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();

  /** @param now ms since 1970-01-01T00:00:00Z; 2024-01-01T00:00:00Z unless told otherwise. */
  constructor(now: number = Date.UTC(2024, 0, 1)) {
    this.#origin = now;
  }

  now(): number {
    return this.#origin + this.#monotonic;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const abort = (): void => {
        this.#sleepers.delete(sleeper);
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- The reason is the caller's own.
        reject(signal?.reason);
      };
      const wake = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      const sleeper = { at: this.#monotonic + ms, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /**
   * Lets this many ms pass and wakes the sleepers in the order of their times. After each, what was woken runs on until
   * it sleeps again.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    for (;;) {
      await this.#runOn();
      const next = this.#nextSleeper();
      if (next === undefined || next.at > end) break;
      this.#passTo(next.at);
      this.#wake(next);
    }
    this.#passTo(end);
  }

  /**
   * Lets time pass, from sleeper to sleeper, until this settles. While nobody sleeps, time stands still and the event
   * loop turns.
   */
  async advanceUntil<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const end = (): void => void (settled = true);
    void work.then(end, end);
    for (;;) {
      await this.#runOn();
      if (settled) return work;
      const next = this.#nextSleeper();
      if (next === undefined) continue;
      this.#passTo(next.at);
      this.#wake(next);
    }
  }

  /** Sets the wall clock, as an administrator or NTP does; sleepers and `monotonic` do not notice. */
  set(now: number): void {
    this.#origin = now - this.#monotonic;
  }

  #wake(sleeper: { readonly wake: () => void }): void {
    this.#expected = this.#sleepers.size;
    sleeper.wake();
  }

  /** Most of what is woken sleeps again, some of it after a datagram or a write to disk; the rest is done. */
  async #runOn(): Promise<void> {
    await settle();
    for (let turn = 1; turn < MAX_TURNS && this.#sleepers.size < this.#expected; turn++) await settle();
    this.#expected = 0;
  }

  #nextSleeper(): { readonly at: number; readonly wake: () => void } | undefined {
    let next: { readonly at: number; readonly wake: () => void } | undefined;
    for (const sleeper of this.#sleepers) if (next === undefined || sleeper.at < next.at) next = sleeper;
    return next;
  }

  #passTo(monotonic: number): void {
    this.#monotonic = monotonic;
  }
}
