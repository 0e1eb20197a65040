import type { Accounts } from '../cards/accounts.ts';

/** How much a store holds. */
export interface StoreContents {
  /** u24. */
  readonly issuer: number;
  readonly cards: number;
  readonly orders: number;
  readonly receipts: number;
}

export async function countContents(accounts: Accounts): Promise<StoreContents> {
  return { issuer: accounts.issuer, ...(await accounts.tables.count()) };
}

/** What one store has and another has not. */
export interface StoreLosses {
  readonly cards: number;
  readonly orders: number;
  readonly receipts: number;
  /** Cards with grant numbers that the other store would give again. */
  readonly grants: number;
}

/** Finds out what would be lost if `older` took the place of `present`. Numbers have no gaps, so the last one tells. */
export async function findLosses(present: Accounts, older: Accounts): Promise<StoreLosses> {
  const [has, lacks] = [await present.tables.lastNumbers(), await older.tables.lastNumbers()];
  const losses = { cards: 0, orders: 0, receipts: 0, grants: 0 };
  for (const [card, { order, receipt, grant, isIssued }] of has) {
    const other = lacks.get(card);
    if (isIssued && other?.isIssued !== true) losses.cards += 1;
    losses.orders += Math.max(0, order - (other?.order ?? 0));
    losses.receipts += Math.max(0, receipt - (other?.receipt ?? 0));
    if (grant > (other?.grant ?? 0)) losses.grants += 1;
  }
  return losses;
}
