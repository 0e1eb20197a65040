import { currencyByNumber } from '../../money/currency.ts';
import type { StoreChange } from '../../store/group-writer.ts';
import type { BillTable, ChargingEntryTable } from '../../store/headend/request-tables.ts';
import { postChanges } from '../ledger/ledger-rows.ts';
import { makeChargeEntry } from '../ledger/make-entries.ts';
import type { Bill } from './bill.ts';
import type { ChargeTerms } from './charge-terms.ts';
import type { KeptEntry, TimePart } from './charging-entry.ts';

const KEEP_ENTRY = `insert or replace into charging_entry
  (id, user, session, service, tariff, price, currency, settlement, parts, first_reading, last_reading, closed_at)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const DELETE_ENTRY = 'delete from charging_entry where id = ?';
/** A bill that is closed stays as it is. */
const KEEP_BILL = `insert into bill
  (entry_id, user, session, service, time_from, time_to, seconds, octets, tariff, price, currency, settlement, charge,
  amount, is_closed) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  on conflict (entry_id) do update set time_to = excluded.time_to, seconds = excluded.seconds, octets = excluded.octets,
  charge = excluded.charge, amount = excluded.amount, is_closed = excluded.is_closed where bill.is_closed = 0`;

export function entryChange(entry: KeptEntry): StoreChange {
  const { id, user, session, service, terms, parts } = entry;
  const { firstReading = null, lastReading = null, closedAt = null } = entry;
  const written = JSON.stringify(parts.map(({ from, to, since }) => [from, to, since]));
  const values = [id, user, session, service, ...termValues(terms), written, firstReading, lastReading, closedAt];
  return { sql: KEEP_ENTRY, values };
}

export function deleteEntryChange(id: number): StoreChange {
  return { sql: DELETE_ENTRY, values: [id] };
}

/** Keeps a bill; once it is closed, what is to be paid by invoice is entered in the ledger with it. */
export function billChanges(bill: Bill, isClosed: boolean): readonly StoreChange[] {
  const { entryId, user, service, to, amount, terms } = bill;
  const kept = billChange(bill, isClosed);
  if (!isClosed || terms.currency === undefined) return [kept];
  const charge = { source: String(entryId), at: to, payer: `user:${user}`, service, amount } as const;
  return [kept, ...postChanges(makeChargeEntry({ ...charge, currency: terms.currency.number }))];
}

function billChange(bill: Bill, isClosed: boolean): StoreChange {
  const { entryId, user, session, service, from, to, seconds, octets, terms, charge, amount } = bill;
  const spent = [seconds, octets, ...termValues(terms), charge, amount];
  return { sql: KEEP_BILL, values: [entryId, user, session, service, from, to, ...spent, isClosed ? 1 : 0] };
}

function termValues({ tariff, currency, settlement }: ChargeTerms): (string | bigint | number | null)[] {
  return [tariff.kind, tariff.price, currency?.number ?? null, settlement];
}

export function entryOfRow(row: ChargingEntryTable): KeptEntry {
  const { id, user, session, service, firstReading, lastReading, closedAt } = row;
  return {
    id,
    user,
    session,
    service,
    terms: termsOfRow(row),
    parts: partsOf(row.parts),
    ...(firstReading !== null && { firstReading }),
    ...(lastReading !== null && { lastReading }),
    ...(closedAt !== null && { closedAt }),
  };
}

export function billOfRow(row: BillTable): Bill {
  const { entryId, user, session, service, timeFrom, timeTo, seconds, octets, charge, amount } = row;
  const spent = { seconds, octets, terms: termsOfRow(row), charge, amount };
  return { entryId, user, session, service, from: timeFrom, to: timeTo, ...spent };
}

function termsOfRow(row: Pick<BillTable, 'tariff' | 'price' | 'currency' | 'settlement'>): ChargeTerms {
  const { tariff, price, currency, settlement } = row;
  return {
    tariff: { kind: tariff, price },
    settlement,
    ...(currency !== null && { currency: currencyByNumber(currency) }),
  };
}

function partsOf(text: string): TimePart[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It was written by entryChange.
  const parts = JSON.parse(text) as readonly (readonly [number, number, number])[];
  return parts.map(([from, to, since]) => ({ from, to, since }));
}
