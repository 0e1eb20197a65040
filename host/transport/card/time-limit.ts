import type { CardChannel } from '../../../apdu/card-channel.ts';
import { TransportError } from '../../../apdu/errors.ts';
import type { Clock } from '../../clock/clock.ts';

/** ms that a card may take for one command. Making a key pair takes some cards a few seconds. */
export const MAX_COMMAND_MS = 10_000;

export interface TimeLimitOptions {
  readonly clock: Clock;
  /** ms; {@link MAX_COMMAND_MS} by default. */
  readonly limit?: number | undefined;
  /** ms without an answer after which `onSlow` is called, once for each command. */
  readonly slowAfter?: number | undefined;
  readonly onSlow?: (() => void) | undefined;
  /** Called when a command that was slow is answered after all. */
  readonly onAnswer?: (() => void) | undefined;
  /** From when it aborts, a command has no more than `limitAfterAbort` left. */
  readonly signal?: AbortSignal | undefined;
  readonly limitAfterAbort?: number | undefined;
}

/** The error of a card that does not answer in time. */
export function stalledError(ms: number): TransportError {
  const text = `the card has not answered for ${Math.round(ms / 1000)} s`;
  return new TransportError(
    'CARD_STALLED',
    `${text}; take it out and insert it again, or start its reader or its runner anew`,
  );
}

/**
 * A channel that waits so long for each answer and no longer. When the time is up, the command fails and so does every
 * later one, and the channel beneath is closed: whether the card carried the command out is not known.
 */
export class TimeLimitedChannel implements CardChannel {
  readonly atr: Uint8Array;
  readonly #channel: CardChannel;
  readonly #options: TimeLimitOptions;
  /** Fails each command that waits for its answer. */
  readonly #waiting = new Set<(error: Error) => void>();
  /** When the oldest command that waits was begun, or the one before it was answered. */
  #since = 0;
  #isSlow = false;
  #lost: TransportError | undefined;
  /** Ends the sleep of the watchdog; there is one while commands wait. */
  #sleep: AbortController | undefined;

  constructor(channel: CardChannel, options: TimeLimitOptions) {
    this.#channel = channel;
    this.#options = options;
    this.atr = channel.atr;
    options.signal?.addEventListener('abort', this.#look, { once: true });
  }

  transmit(command: Uint8Array): Promise<Uint8Array> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    if (this.#waiting.size === 0) this.#since = this.#options.clock.monotonic();
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#waiting.add(reject);
    if (this.#sleep === undefined) void this.#watch();
    const end = (): void => this.#answered(reject);
    const answer = this.#channel.transmit(command);
    answer.then(resolve, reject);
    answer.then(end, end);
    promise.catch(() => {}); // the caller may look at it later
    return promise;
  }

  /** The holder takes as long as the reader allows. */
  get enterPin(): CardChannel['enterPin'] {
    const { enterPin } = this.#channel;
    if (enterPin === undefined) return undefined;
    return (command) => (this.#lost === undefined ? enterPin.call(this.#channel, command) : Promise.reject(this.#lost));
  }

  #answered(waiter: (error: Error) => void): void {
    this.#waiting.delete(waiter);
    this.#since = this.#options.clock.monotonic();
    if (!this.#isSlow) return;
    this.#isSlow = false;
    if (this.#lost === undefined) this.#options.onAnswer?.();
  }

  async close(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#look);
    this.#sleep?.abort();
    // A card that does not answer does not let itself be closed either.
    if (this.#lost === undefined) await this.#channel.close();
  }

  /**
   * Sleeps until the next thing is due, as long as commands wait. One sleep serves many commands: to begin and cancel
   * one for each costs more than the rest of a round trip over TCP.
   */
  async #watch(): Promise<void> {
    const { clock } = this.#options;
    while (this.#waiting.size > 0) {
      const sleep = new AbortController();
      this.#sleep = sleep;
      await clock.sleep(Math.max(this.#nextAt() - clock.monotonic(), 1), sleep.signal).catch(() => {});
      this.#judge();
    }
    this.#sleep = undefined;
  }

  readonly #look = (): void => this.#sleep?.abort();

  #nextAt(): number {
    const { slowAfter } = this.#options;
    return this.#since + Math.min(this.#limit, this.#isSlow ? Infinity : (slowAfter ?? Infinity));
  }

  get #limit(): number {
    const { limit = MAX_COMMAND_MS, signal, limitAfterAbort = limit } = this.#options;
    return signal?.aborted === true ? Math.min(limit, limitAfterAbort) : limit;
  }

  #judge(): void {
    if (this.#waiting.size === 0) return;
    const { clock, slowAfter, onSlow } = this.#options;
    const waited = clock.monotonic() - this.#since;
    // A timer of the system may end 1 ms early.
    if (waited + 1 >= this.#limit) return this.#giveUp(waited);
    if (this.#isSlow || slowAfter === undefined || waited + 1 < slowAfter) return;
    this.#isSlow = true;
    onSlow?.();
  }

  #giveUp(waited: number): void {
    const error = stalledError(waited);
    this.#lost = error;
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
    void this.#channel.close().catch(() => {});
  }
}
