import type { Clock } from '../../clock/clock.ts';

/** ms; a longer sleep may end up to a timer's step late, and that matters less. */
const LONG = 3;

interface Waiter {
  readonly due: number;
  readonly latest: number;
  readonly wake: () => void;
}

const timers = new WeakMap<Clock, SendTimer>();

/**
 * Wakes the services of a process that wait to send, by one timer for all. Each says from when on it may go and when it
 * has to; whoever may go is woken together with who has to, so that many services wake the process as often as one.
 */
export class SendTimer {
  readonly #clock: Clock;
  #waiting: Waiter[] = [];
  /** What the timer is set to; Infinity when it is not. */
  #at = Infinity;
  #reset = new AbortController();

  /** The one timer of a clock. */
  static of(clock: Clock): SendTimer {
    let timer = timers.get(clock);
    if (timer === undefined) timers.set(clock, (timer = new SendTimer(clock)));
    return timer;
  }

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Waits.
   * @param due ms of the clock's `monotonic` before which this does not resolve.
   * @param latest ms when it has to, at least `due`.
   */
  wait(due: number, latest: number): Promise<void> {
    return new Promise((wake) => {
      this.#waiting.push({ due, latest, wake });
      if (latest >= this.#at) return;
      this.#at = latest;
      this.#reset.abort();
      this.#reset = new AbortController();
      void this.#run(this.#reset.signal);
    });
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (this.#waiting.length > 0) {
      const wait = this.#at - this.#clock.monotonic();
      if (wait > 0) {
        try {
          await this.#sleep(wait, signal);
        } catch {
          return;
        }
        if (signal.aborted) return;
      }
      this.#wakeAll();
    }
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#clock.nap === undefined) return this.#clock.sleep(ms, signal);
    if (ms < 1) return this.#clock.nap(ms);
    return this.#clock.sleep(ms < LONG ? Math.floor(ms) : Math.ceil(ms), signal);
  }

  #wakeAll(): void {
    const now = this.#clock.monotonic();
    const woken = this.#waiting.filter(({ due }) => due <= now);
    this.#waiting = this.#waiting.filter(({ due }) => due > now);
    this.#at = this.#waiting.reduce((at, { latest }) => Math.min(at, latest), Infinity);
    for (const { wake } of woken) wake();
  }
}
