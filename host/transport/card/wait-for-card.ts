import { TollcastError, TransportError } from '../../../apdu/errors.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';

export interface WaitForCardOptions {
  /** Ends the waiting with its reason. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
  /**
   * ms between the first and the second attempt, and the longest pause between two; each pause is half as long again
   * as the one before it. 250 and 250 by default.
   */
  readonly pauses?: readonly [first: number, max: number] | undefined;
  /** Whether an error may pass by waiting; by default every TransportError may. */
  readonly isTemporary?: ((error: TollcastError) => boolean) | undefined;
  /** Called with each new reason to wait; once as long as its message stays the same. */
  readonly onWaiting?: ((reason: TollcastError) => void) | undefined;
  /** Ends a pause early: resolves when another attempt is worth making, or when its signal aborts. */
  readonly wakeUp?: ((signal: AbortSignal) => Promise<unknown>) | undefined;
}

const DEFAULT_PAUSES = [250, 250] as const;

/**
 * Opens a card, again and again until it is there.
 * @param open one attempt; the first is made at once.
 * @returns what the first attempt that went well returned.
 * @throws what an attempt threw that is not temporary; the signal's reason when it aborts.
 */
export async function waitForCard<T>(open: () => Promise<T>, options: WaitForCardOptions = {}): Promise<T> {
  const { signal, pauses = DEFAULT_PAUSES, isTemporary = (error) => error instanceof TransportError } = options;
  const [first, max] = pauses;
  let reason = '';
  for (let pause: number = first; ; pause = Math.min(1.5 * pause, max)) {
    signal?.throwIfAborted();
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof TollcastError) || !isTemporary(error)) throw error;
      if (error.message !== reason) options.onWaiting?.(error);
      reason = error.message;
    }
    await sleepOrWakeUp(pause, options);
  }
}

async function sleepOrWakeUp(ms: number, options: WaitForCardOptions): Promise<void> {
  const { signal, clock = systemClock, wakeUp } = options;
  if (wakeUp === undefined) return clock.sleep(ms, signal);
  const over = new AbortController();
  const either = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
  try {
    await Promise.race([clock.sleep(ms, either), wakeUp(either)]);
  } finally {
    over.abort();
  }
}
