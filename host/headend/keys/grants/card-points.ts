import { toHex } from '../../../../apdu/octets.ts';
import type { Clock } from '../../../clock/clock.ts';
import { openIssuerStore } from '../../../store/issuer-store.ts';
import { StoreError } from '../../../store/store-error.ts';

/** ms between two looks at the store. */
const REFRESH_INTERVAL = 30_000;

/** The public halves of cards, as the issuer's store has them. */
export class CardPoints {
  readonly #directory: string;
  /** By card id in hexadecimal, 65 octets each. */
  readonly #points = new Map<string, Uint8Array>();
  /** When the last of them was made, seconds since 1970. */
  #last = 0;

  /** @param directory of the issuer store. One that holds nothing but masters knows of no pair. */
  static async open(directory: string): Promise<CardPoints> {
    const points = new CardPoints(directory);
    await points.refresh();
    return points;
  }

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** @param cardId 8 octets. @returns 65 octets; undefined for a card that has no pair, as far as is known. */
  find(cardId: Uint8Array): Uint8Array | undefined {
    return this.#points.get(toHex(cardId));
  }

  /**
   * Reads what is new, again and again, until the signal aborts.
   * @param onFailed is told why a reading failed; the next one brings what it missed.
   */
  async run(clock: Clock, signal: AbortSignal, onFailed: (error: unknown) => void): Promise<void> {
    for (;;) {
      await clock.sleep(REFRESH_INTERVAL, signal).catch(() => undefined);
      if (signal.aborted) return;
      await this.refresh().catch(onFailed);
    }
  }

  /** Reads what is new. @throws StoreError as {@link openIssuerStore} does, but for a store that is not there. */
  async refresh(): Promise<void> {
    try {
      await using store = await openIssuerStore(this.#directory);
      const made = store.selectFrom('cardPair').selectAll().where('madeAt', '>=', this.#last);
      for (const { cardId, publicKey, madeAt } of await made.execute()) {
        this.#last = Math.max(this.#last, madeAt);
        if (publicKey.length === 0) this.#points.delete(toHex(cardId));
        else this.#points.set(toHex(cardId), publicKey);
      }
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'NO_STORE') throw error;
    }
  }
}
