/** The time, as a port: programs run on `systemClock`, tests on a clock of their own that runs months in seconds. */
export interface Clock {
  /** ms since 1970-01-01T00:00:00Z by this machine's clock, which may be set and then jumps. */
  now(): number;
  /** ms since some start; never runs backwards and never jumps. */
  monotonic(): number;
  /**
   * Waits this many ms, 0 or more.
   * @throws the signal's reason, at once when the signal aborts.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Waits less than 1 ms, which timers cannot. The program stands still meanwhile. A clock without it sleeps as long. */
  nap?(ms: number): Promise<void>;
}

/** The longest time that `setTimeout` takes, in ms; what is above fires at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** This machine's clock. A sleep may end up to 1 ms early by `monotonic`, as timers do. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    let left = ms;
    for (; left > MAX_TIMEOUT_MS; left -= MAX_TIMEOUT_MS) await sleepOnce(MAX_TIMEOUT_MS, signal);
    await sleepOnce(left, signal);
  },
  async nap(ms) {
    const end = performance.now() + ms;
    // First all else that waits for its turn.
    await new Promise((resolve) => setImmediate(resolve));
    const left = end - performance.now();
    if (left > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, left);
  },
};

function sleepOnce(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const abort = (): void => {
      clearTimeout(timer);
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- The reason is the caller's own.
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}
