/** A request of a card that was answered, or is being answered. */
export interface AnsweredRequest {
  /** Of its row in the log. */
  readonly logId: number;
  /** Tag of the request, in hexadecimal: the same id with another tag is another request. */
  readonly tag: string;
  /** Its *from*, seconds since 1970. */
  readonly from: number;
}

/** Requests that a card may send in any {@link QUOTA_TIME} seconds. */
export const QUOTA = 60;
const QUOTA_TIME = 60;
/** Requests of a card that are remembered. */
const MAX_REMEMBERED = 64;
/** Seconds after its *from* at which a request is too old to be answered anew, whoever sends it. */
const STALE = 31;
/** Seconds after its *from* for which a request is remembered where there is room. */
export const REMEMBERED = 3600;

interface CardRequests {
  readonly byId: Map<string, AnsweredRequest>;
  /** When its last requests came, seconds since 1970. */
  recent: number[];
}

/** What cards asked lately: bounded for each card, and for all by the time that a request stays good. */
export class AnsweredRequests {
  readonly #byCard = new Map<string, CardRequests>();

  find(cardId: string, requestId: string): AnsweredRequest | undefined {
    return this.#byCard.get(cardId)?.byId.get(requestId);
  }

  /**
   * Counts a request that was not answered before.
   * @param now seconds since 1970.
   * @returns false when the card is over its quota.
   */
  admit(cardId: string, now: number): boolean {
    const card = this.#require(cardId);
    card.recent = card.recent.filter((at) => at > now - QUOTA_TIME);
    if (card.recent.length >= QUOTA || !this.#makeRoom(card, now)) return false;
    card.recent.push(now);
    return true;
  }

  remember(cardId: string, requestId: string, answered: AnsweredRequest): void {
    this.#require(cardId).byId.set(requestId, answered);
  }

  /** Drops what is long past. @param now seconds since 1970. */
  forget(now: number): void {
    for (const [cardId, card] of this.#byCard) {
      for (const [requestId, { from }] of card.byId) if (from < now - REMEMBERED) card.byId.delete(requestId);
      if (card.byId.size === 0 && card.recent.every((at) => at <= now - QUOTA_TIME)) this.#byCard.delete(cardId);
    }
  }

  /** How many cards it knows anything of. */
  get cards(): number {
    return this.#byCard.size;
  }

  /** Whether there is room for one more. A request that can still be answered is never dropped for another. */
  #makeRoom({ byId }: CardRequests, now: number): boolean {
    if (byId.size < MAX_REMEMBERED) return true;
    for (const [requestId, { from }] of byId) {
      if (from < now - STALE) {
        byId.delete(requestId);
        return true;
      }
    }
    return false;
  }

  #require(cardId: string): CardRequests {
    let card = this.#byCard.get(cardId);
    if (card === undefined) {
      card = { byId: new Map(), recent: [] };
      this.#byCard.set(cardId, card);
    }
    return card;
  }
}
