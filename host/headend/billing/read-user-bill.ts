import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { toHex } from '../../../apdu/octets.ts';
import { formatMoney } from '../../money/amount.ts';
import { currencyByNumber } from '../../money/currency.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import { parseLedgerAccount } from '../ledger/ledger-account.ts';
import { readBalances } from '../ledger/read-ledger.ts';
import { readDisputeStates } from './disputes/read-disputes.ts';

/**
 * Reads what the user of a card owes now, by the ledger.
 * @param cardId 8 octets.
 * @param limit lines at most, the newest.
 * @returns undefined for a card that is blocked.
 */
export async function readUserBill(store: HeadendStore, cardId: Uint8Array, limit: number) {
  const id = toHex(cardId);
  const blocked = await store.selectFrom('blockedCard').select('cardId').where('cardId', '=', id).executeTakeFirst();
  if (blocked !== undefined) return undefined;
  const known = await store
    .selectFrom('cardUser')
    .select('user')
    .where('cardId', '=', id)
    .where('until', 'is', null)
    .executeTakeFirst();
  const user = known?.user ?? formatCardId(cardId);
  const account = parseLedgerAccount(`user:${user}`);
  const owed = await readBalances(store, account);
  const postings = await store
    .selectFrom('ledgerPosting as posting')
    .innerJoin('ledgerEntry as entry', 'entry.id', 'posting.entryId')
    .where((of) => of.or([of('debit', '=', account), of('credit', '=', account)]))
    .select(['entry.id', 'kind', 'at', 'debit', 'currency', 'amount'])
    .orderBy('entry.id', 'desc')
    .limit(limit)
    .execute();
  const disputes = await readDisputeStates(
    store,
    postings.map((posting) => posting.id),
  );
  return {
    user,
    owed: owed.map(({ amount, currency }) => formatMoney(amount, currencyByNumber(currency))),
    lines: postings.map(({ id: entry, kind, at, debit, currency, amount }) => ({
      entry,
      kind,
      at,
      amount: formatMoney(debit === account ? amount : -amount, currencyByNumber(currency)),
      ...(disputes.has(entry) && { dispute: disputes.get(entry)! }),
    })),
  };
}
