import { TollcastError } from '../../../../apdu/errors.ts';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';

/** Ids that are reserved at a time. What is left of a block when the process ends is never given. */
const BLOCK = 64;
/** With no more ids than this, the next block is reserved. */
const MIN_STOCK = 32;

export type KeyIdKind = 'service' | 'segment' | 'content';

/**
 * The ids of the keys of one service, from the database: each is given once, whoever asks and whatever died in between.
 * They are reserved in blocks ahead, so that a sender never waits for the disk.
 */
export class KeyIds {
  readonly #store: HeadendStore;
  readonly #service: number;
  readonly #stock: Readonly<Record<KeyIdKind, number[]>> = { service: [], segment: [], content: [] };
  readonly #refilling = new Map<KeyIdKind, Promise<void>>();
  #failure: unknown;

  /** Reserves the first blocks. @param service u32. */
  static async open(store: HeadendStore, service: number): Promise<KeyIds> {
    const ids = new KeyIds(store, service);
    await Promise.all((['service', 'segment', 'content'] as const).map((kind) => ids.#reserve(kind)));
    return ids;
  }

  private constructor(store: HeadendStore, service: number) {
    this.#store = store;
    this.#service = service;
  }

  /**
   * Gives the next id.
   * @returns u32, 1 and up.
   * @throws TollcastError `STORE_FAILED` when the database gave no further ids.
   */
  take(kind: KeyIdKind): number {
    const stock = this.#stock[kind];
    const id = stock.shift();
    if (stock.length <= MIN_STOCK && !this.#refilling.has(kind)) {
      const refilling = this.#reserve(kind)
        .catch((error: unknown) => void (this.#failure = error))
        .finally(() => this.#refilling.delete(kind));
      this.#refilling.set(kind, refilling);
    }
    if (id === undefined) {
      throw new TollcastError(
        'STORE_FAILED',
        `no id for a ${kind} key of service ${this.#service} was reserved in time; check the disk of the database`,
        { cause: this.#failure },
      );
    }
    return id;
  }

  /** Waits until what is being reserved is on disk. */
  async settle(): Promise<void> {
    await Promise.all(this.#refilling.values());
  }

  async #reserve(kind: KeyIdKind): Promise<void> {
    const { next } = await this.#store
      .insertInto('keyCounter')
      .values({ service: this.#service, kind, next: 1 + BLOCK })
      .onConflict((conflict) =>
        conflict.columns(['service', 'kind']).doUpdateSet((build) => ({ next: build('keyCounter.next', '+', BLOCK) })),
      )
      .returning('next')
      .executeTakeFirstOrThrow();
    for (let id = next - BLOCK; id < next; id++) this.#stock[kind].push(id);
  }
}
