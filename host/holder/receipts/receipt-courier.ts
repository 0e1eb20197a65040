import { TollcastError } from '../../../apdu/errors.ts';
import type { Clock } from '../../clock/clock.ts';
import type { PostMessage } from '../requests/subscription.ts';
import { deliverReceipts, type UseCard } from './deliver-receipts.ts';

export interface ReceiptCourierOptions {
  readonly use: UseCard;
  readonly post: PostMessage;
  readonly clock: Clock;
}

/** ms between two looks whether the card has receipts: each session that ends makes one. */
const INTERVAL = 60_000;
/** ms until the head-end is asked again: at first, at most. */
const MIN_PAUSE = 5000;
const MAX_PAUSE = 300_000;

/**
 * Delivers receipts while a card is in use, well before it is full. A head-end that does not answer stops nothing; it
 * is asked again.
 */
export class ReceiptCourier {
  readonly #options: ReceiptCourierOptions;
  #wake = Promise.withResolvers<void>();
  #delivering: Promise<unknown> = Promise.resolve();
  #failure: TollcastError | undefined;

  constructor(options: ReceiptCourierOptions) {
    this.#options = options;
  }

  /** Why the last attempt failed; undefined when it did not. */
  get failure(): TollcastError | undefined {
    return this.#failure;
  }

  /** The card may have new receipts, as after it was inserted again. */
  wake(): void {
    this.#wake.resolve();
  }

  /** Looks now and then until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let pause = MIN_PAUSE;
    while (!signal.aborted) {
      const isDone = await this.deliver();
      const rest = isDone ? INTERVAL : pause;
      pause = isDone ? MIN_PAUSE : Math.min(2 * pause, MAX_PAUSE);
      this.#wake = Promise.withResolvers();
      const slept = new AbortController();
      const sleeping = clock.sleep(rest, AbortSignal.any([signal, slept.signal])).catch(() => undefined);
      await Promise.race([sleeping, this.#wake.promise]);
      slept.abort();
    }
  }

  /**
   * Delivers what the card has.
   * @param use the card, where somebody has it for himself.
   * @param post another way to the head-end.
   * @returns whether it could.
   */
  deliver(use: UseCard = this.#options.use, post: PostMessage = this.#options.post): Promise<boolean> {
    const delivered = this.#delivering.then(async () => {
      try {
        await deliverReceipts(use, post);
        this.#failure = undefined;
        return true;
      } catch (error) {
        if (!(error instanceof TollcastError)) throw error;
        this.#failure = error;
        return false;
      }
    });
    this.#delivering = delivered.catch(() => undefined);
    return delivered;
  }
}
