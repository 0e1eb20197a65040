import type { StoreChange } from '../../store/group-writer.ts';
import type { LedgerEntry } from '../ledger/ledger-entry.ts';
import { postChanges } from '../ledger/ledger-rows.ts';
import { makeChargeEntry, makePeriodFeeEntry } from '../ledger/make-entries.ts';
import type { Bill, BillItem } from './bill.ts';
import type { ChargeTerms } from './charge-terms.ts';

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
  const fee = { user, service, part, payer, price: tariff.price, currency };
  if (period === undefined || seconds === 0) return [];
  const changes: StoreChange[] = [];
  for (let start = from - (from % period); start < to; start += period) {
    changes.push(...postChanges(makePeriodFee(fee, start, Math.max(from, start))));
  }
  return changes;
}

/** A price per period, as its user or provider owes it. */
export interface PeriodFee extends Pick<ChargeTerms, 'part' | 'payer'> {
  readonly service: number;
  readonly user: string;
  /** Micro-units. */
  readonly price: bigint;
  /** ISO 4217 number. */
  readonly currency: number;
}

/** @param start of the period, which it is known by. @param at when it is owed; both seconds since 1970. */
export function makePeriodFee(fee: PeriodFee, start: number, at: number): LedgerEntry {
  const { service, user, part, payer, price: amount, currency } = fee;
  const source = `${service}:${part}:${start}:${payer === 'user' ? user : 'provider'}`;
  return makePeriodFeeEntry({ source, at, service, currency, amount, payer: accountOf(fee, payer) });
}

/** Reads what a price per period is known by. @returns the user; undefined where the provider owes it. */
export function readPeriodFee(source: string): {
  readonly service: number;
  readonly part: ChargeTerms['part'];
  readonly start: number;
  readonly user: string | undefined;
} {
  const [service = '', part = '', start = '', ...user] = source.split(':');
  const name = user.join(':');
  return {
    service: Number(service),
    part: part === 'delivery' ? 'delivery' : 'content',
    start: Number(start),
    user: name === 'provider' ? undefined : name,
  };
}

/** A service has one provider, which is known by its number. */
function accountOf(
  { user, service }: Pick<Bill, 'user' | 'service'>,
  payer: BillItem['payer'],
): `user:${string}` | `provider:${string}` {
  return payer === 'user' ? `user:${user}` : `provider:${service}`;
}
