import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { fromHex } from '../../../../apdu/octets.ts';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import { cardOfName } from './user-name.ts';

/** A card that a user has or had, in [since, until). */
export interface CardHolding {
  /** 8 octets in hexadecimal. */
  readonly cardId: string;
  /** As it is printed, and in accounts of the ledger. */
  readonly card: string;
  readonly since: number;
  readonly until: number;
}

const FOREVER = Number.MAX_SAFE_INTEGER;

/** All cards that a user ever had, and when; a card is its own user where it is nobody else's. */
export async function readHoldings(store: HeadendStore, name: string): Promise<CardHolding[]> {
  const rows = await store.selectFrom('cardUser').selectAll().where('user', '=', name).execute();
  const holdings = rows.map(({ cardId, since, until }) => describe(cardId, since, until ?? FOREVER));
  const own = cardOfName(name);
  if (own === undefined) return holdings;
  const taken = await store.selectFrom('cardUser').selectAll().where('cardId', '=', own).orderBy('since').execute();
  let free = 0;
  for (const { since, until } of taken) {
    if (since > free) holdings.push(describe(own, free, since));
    free = until ?? FOREVER;
  }
  if (free < FOREVER) holdings.push(describe(own, free, FOREVER));
  return holdings;
}

function describe(cardId: string, since: number, until: number): CardHolding {
  return { cardId, card: formatCardId(fromHex(cardId)), since, until };
}
