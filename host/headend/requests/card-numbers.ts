/** Gives numbers to all that number grants of the same cards. */
export interface NumberSource {
  /** @param cardId in hexadecimal. @returns a number that nobody else gets, this one or a higher one. */
  take(cardId: string, atLeast: number): number;
}

/**
 * The one allocator of message numbers of each card (protocol 4.4 step 4), whatever session or service asks. They rise
 * by one. A card's first number is the present second, so that a head-end that lost its database goes on above what it
 * gave.
 */
export class CardNumbers {
  readonly #last = new Map<string, number>();

  readonly #shared: NumberSource | undefined;

  /**
   * @param given numbers that cards were given; of each card the highest counts.
   * @param shared where others number grants of the same cards.
   */
  constructor(given: Iterable<readonly [cardId: string, number: number]>, shared?: NumberSource) {
    this.#shared = shared;
    for (const [cardId, number] of given) {
      this.#last.set(cardId, Math.max(number, this.#last.get(cardId) ?? 0));
    }
  }

  /** @param now seconds since 1970. @returns u32. */
  take(cardId: string, now: number): number {
    const next = (this.#last.get(cardId) ?? now - 1) + 1;
    const number = this.#shared?.take(cardId, next) ?? next;
    this.#last.set(cardId, number);
    return number;
  }

  /** The last number of a card, to be kept. */
  last(cardId: string): number | undefined {
    return this.#last.get(cardId);
  }
}
