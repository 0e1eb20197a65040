import { resolve } from 'node:path';
import { toHex } from '../../../../apdu/octets.ts';
import { IssuerError } from '../../../issuer/issuer-error.ts';
import { readGivenNumbers } from '../../../store/headend/given-numbers.ts';
import { type IssuerStore, openIssuerStore } from '../../../store/issuer-store.ts';
import { SharedNumbers } from '../../../store/shared-numbers.ts';
import { isDiskFull } from '../../../store/sqlite-error.ts';
import { StoreError } from '../../../store/store-error.ts';

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
 * the numbers that it gave. Head-ends take from the same numbers.
 * @param directory of the issuer store.
 */
export function openGrantNumbers(directory: string): GrantNumbers {
  return {
    async take(cards, now) {
      if (cards.length === 0) return [];
      return whileKept(directory, async (store) => {
        using shared = SharedNumbers.open(directory);
        return await store.transaction().execute((transaction) => takeNumbers(transaction, shared, cards, now));
      });
    },
  };
}

/**
 * Opens the grant numbers of an issuer's store for a head-end, which keeps what it takes in its own database.
 * @param directory of the issuer store; others that take numbers there look into this head-end's database from now on.
 * @param state directory of the head-end.
 * @throws as {@link GrantNumbers.take} does.
 */
export function joinCardNumbers(directory: string, state: string): Promise<SharedNumbers> {
  return whileKept(directory, async (store) => {
    await store
      .insertInto('headEnd')
      .values({ state: resolve(state) })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const shared = SharedNumbers.open(directory);
    try {
      const granted = await store.selectFrom('grantNumber').selectAll().execute();
      shared.raise(granted.map(({ cardId, number }) => ({ cardId: toHex(cardId), number })));
      for (const headEnd of await store.selectFrom('headEnd').select('state').execute()) {
        shared.raise(readGivenNumbers(headEnd.state));
      }
      return shared;
    } catch (error) {
      shared[Symbol.dispose]();
      throw error;
    }
  });
}

async function whileKept<T>(directory: string, work: (store: IssuerStore) => Promise<T>): Promise<T> {
  try {
    await using store = await openIssuerStore(directory, { create: true });
    return await work(store);
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    throw grantNumbersError(directory, cause);
  }
}

/** Says why the numbers cannot be kept, and what to do. */
export function grantNumbersError(directory: string, cause: unknown): IssuerError {
  const text = isDiskFull(cause)
    ? `the numbers of grants cannot be written in ${directory}: the disk is full; free some space, and start again`
    : `the numbers of grants cannot be kept in ${directory}; let this program write there`;
  return new IssuerError('GRANT_NUMBERS', text, { cause });
}

async function takeNumbers(
  store: IssuerStore,
  shared: SharedNumbers,
  cards: readonly Uint8Array[],
  now: number,
): Promise<readonly number[]> {
  const headEnds = await store.selectFrom('headEnd').select('state').execute();
  const taken: number[] = [];
  for (const cardId of cards) {
    const card = toHex(cardId);
    // What the shared table has lost with the power is in these.
    for (const { state } of headEnds) shared.raise(readGivenNumbers(state, card));
    const row = await store.selectFrom('grantNumber').select('number').where('cardId', '=', cardId).executeTakeFirst();
    const number = shared.take(card, row === undefined ? now : row.number + 1);
    await store
      .insertInto('grantNumber')
      .values({ cardId, number })
      .onConflict((conflict) => conflict.column('cardId').doUpdateSet({ number }))
      .execute();
    taken.push(number);
  }
  return taken;
}
