import type { StoreChange } from '../../store/group-writer.ts';
import { postChanges } from '../ledger/ledger-rows.ts';
import { makeChargeEntry, makePeriodFeeEntry } from '../ledger/make-entries.ts';
import type { Bill, BillItem } from './bill.ts';

/**
 * Enters in the ledger what is to be paid by invoice: one entry for what the connection came to, and one for each
 * period that it touched, where a price is per period. A period is owed once, however often it is joined.
 */
export function postBill(bill: Bill): readonly StoreChange[] {
  const { entryId, to, service, items, currency } = bill;
  if (currency === undefined) return [];
  const invoiced = items.filter(({ settlement }) => settlement === 'invoice');
  const charges = invoiced.map(({ payer, charge }) => ({ payer: accountOf(bill, payer), amount: charge }));
  const occasion = { source: String(entryId), at: to, service, currency: currency.number };
  return [
    ...postChanges(makeChargeEntry({ ...occasion, charges })),
    ...invoiced.flatMap((item) => postPeriods(bill, item, currency.number)),
  ];
}

function postPeriods(bill: Bill, { part, payer, tariff, period }: BillItem, currency: number): StoreChange[] {
  const { user, service, from, to, seconds } = bill;
  if (period === undefined || seconds === 0) return [];
  const changes: StoreChange[] = [];
  for (let start = from - (from % period); start < to; start += period) {
    const source = `${service}:${part}:${start}:${payer === 'user' ? user : 'provider'}`;
    const fee = { source, at: Math.max(from, start), service, currency, amount: tariff.price };
    changes.push(...postChanges(makePeriodFeeEntry({ ...fee, payer: accountOf(bill, payer) })));
  }
  return changes;
}

/** A service has one provider, which is known by its number. */
function accountOf({ user, service }: Bill, payer: BillItem['payer']): `user:${string}` | `provider:${string}` {
  return payer === 'user' ? `user:${user}` : `provider:${service}`;
}
