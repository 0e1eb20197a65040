import { IssuerError } from '../../issuer/issuer-error.ts';
import { type IssuerStore, openIssuerStore } from '../../store/issuer-store.ts';
import { isDiskFull } from '../../store/sqlite-error.ts';
import { StoreError } from '../../store/store-error.ts';

/**
 * Numbers the grants of cards. A card has one window of 32 numbers for the grants of all services and senders
 * (protocol 4.4 step 4), so its numbers rise by one.
 */
export interface GrantNumbers {
  /**
   * Takes the number of the next grant of each card.
   * @param cards card ids, 8 octets each.
   * @param now seconds since 1970.
   * @returns a u32 for each card, in their order. They are on disk when this resolves, and nobody else gets them.
   * @throws IssuerError `GRANT_NUMBERS` when they cannot be kept.
   * @throws StoreError as {@link openIssuerStore} does.
   */
  take(cards: readonly Uint8Array[], now: number): Promise<readonly number[]>;
}

/**
 * Opens the grant numbers of an issuer's store. The store is made when it is not there: a directory that holds nothing
 * but a master will do. The first number of a card is the present second, so that a store that was lost goes on above
 * the numbers that it gave.
 * @param directory of the issuer store.
 */
export function openGrantNumbers(directory: string): GrantNumbers {
  return {
    async take(cards, now) {
      if (cards.length === 0) return [];
      try {
        await using store = await openIssuerStore(directory, { create: true });
        return await store.transaction().execute((transaction) => takeNumbers(transaction, cards, now));
      } catch (cause) {
        if (cause instanceof StoreError) throw cause;
        throw grantNumbersError(directory, cause);
      }
    },
  };
}

/** Says why the numbers cannot be kept, and what to do. */
export function grantNumbersError(directory: string, cause: unknown): IssuerError {
  const text = isDiskFull(cause)
    ? `the numbers of grants cannot be written in ${directory}: the disk is full; free some space, and start again`
    : `the numbers of grants cannot be kept in ${directory}; let this program write there`;
  return new IssuerError('GRANT_NUMBERS', text, { cause });
}

async function takeNumbers(store: IssuerStore, cards: readonly Uint8Array[], now: number): Promise<readonly number[]> {
  const taken: number[] = [];
  for (const cardId of cards) {
    const { number } = await store
      .insertInto('grantNumber')
      .values({ cardId, number: now })
      .onConflict((conflict) =>
        conflict.column('cardId').doUpdateSet((build) => ({ number: build('grantNumber.number', '+', 1) })),
      )
      .returning('number')
      .executeTakeFirstOrThrow();
    taken.push(number);
  }
  return taken;
}
