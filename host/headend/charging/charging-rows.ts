import { currencyByNumber } from '../../money/currency.ts';
import type { StoreChange } from '../../store/group-writer.ts';
import type { BillTable, ChargingEntryTable } from '../../store/headend/tables/request-tables.ts';
import type { Bill, BillItem } from './bill.ts';
import type { Charges, ChargeTerms } from './charge-terms.ts';
import type { KeptEntry, TimePart } from './charging-entry.ts';
import { postBill } from './post-bill.ts';

const KEEP_ENTRY = `insert or replace into charging_entry
  (id, user, session, service, terms, currency, parts, first_reading, last_reading, closed_at)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const DELETE_ENTRY = 'delete from charging_entry where id = ?';
/** A bill that is closed stays as it is. */
const KEEP_BILL = `insert into bill
  (entry_id, user, session, service, time_from, time_to, seconds, octets, items, currency, charge, amount, is_closed)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  on conflict (entry_id) do update set time_to = excluded.time_to, seconds = excluded.seconds, octets = excluded.octets,
  items = excluded.items, charge = excluded.charge, amount = excluded.amount, is_closed = excluded.is_closed
  where bill.is_closed = 0`;

export function entryChange(entry: KeptEntry): StoreChange {
  const { id, user, session, service, charges, parts } = entry;
  const { firstReading = null, lastReading = null, closedAt = null } = entry;
  const terms = JSON.stringify(charges.terms.map(writeTerms));
  const written = JSON.stringify(parts.map(({ from, to, since }) => [from, to, since]));
  const currency = charges.currency?.number ?? null;
  const values = [id, user, session, service, terms, currency, written, firstReading, lastReading, closedAt];
  return { sql: KEEP_ENTRY, values };
}

export function deleteEntryChange(id: number): StoreChange {
  return { sql: DELETE_ENTRY, values: [id] };
}

/** Keeps a bill; once it is closed, what is to be paid by invoice is entered in the ledger with it. */
export function billChanges(bill: Bill, isClosed: boolean): readonly StoreChange[] {
  const { entryId, user, session, service, from, to, seconds, octets, charge, amount } = bill;
  const items = JSON.stringify(bill.items.map((item) => ({ ...writeTerms(item), charge: item.charge.toString() })));
  const spent = [seconds, octets, items, bill.currency?.number ?? null, charge, amount];
  const kept = { sql: KEEP_BILL, values: [entryId, user, session, service, from, to, ...spent, isClosed ? 1 : 0] };
  return isClosed ? [kept, ...postBill(bill)] : [kept];
}

export function entryOfRow(row: ChargingEntryTable): KeptEntry {
  const { id, user, session, service, terms, currency, firstReading, lastReading, closedAt } = row;
  return {
    id,
    user,
    session,
    service,
    charges: { terms: readWritten(terms).map(readTerms), ...currencyOf(currency) },
    parts: partsOf(row.parts),
    ...(firstReading !== null && { firstReading }),
    ...(lastReading !== null && { lastReading }),
    ...(closedAt !== null && { closedAt }),
  };
}

export function billOfRow(row: BillTable): Bill {
  const { entryId, user, session, service, timeFrom, timeTo, seconds, octets, items, currency, charge, amount } = row;
  const spent = { seconds, octets, items: readItems(items), ...currencyOf(currency), charge, amount };
  return { entryId, user, session, service, from: timeFrom, to: timeTo, ...spent };
}

/** @param text the items of a bill, as they are kept. */
export function readItems(text: string): BillItem[] {
  return readWritten(text).map((written) => ({ ...readTerms(written), charge: BigInt(written.charge ?? 0) }));
}

/** Terms as they are kept, JSON. */
type WrittenTerms = Omit<ChargeTerms, 'tariff'> & {
  readonly kind: ChargeTerms['tariff']['kind'];
  /** Digits. */
  readonly price: string;
  /** Digits; of an item of a bill. */
  readonly charge?: string;
};

function writeTerms({ part, payer, settlement, tariff, period, scheme }: ChargeTerms): WrittenTerms {
  const { kind, price } = tariff;
  const rare = { ...(period !== undefined && { period }), ...(scheme !== undefined && { scheme }) };
  return { part, payer, settlement, kind, price: price.toString(), ...rare };
}

function readTerms({ part, payer, settlement, kind, price, period, scheme }: WrittenTerms): ChargeTerms {
  const tariff = { kind, price: BigInt(price) };
  const rare = { ...(period !== undefined && { period }), ...(scheme !== undefined && { scheme }) };
  return { part, payer, settlement, tariff, ...rare };
}

function readWritten(text: string): readonly WrittenTerms[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It was written by entryChange or billChanges.
  return JSON.parse(text) as readonly WrittenTerms[];
}

function currencyOf(number: number | null): Pick<Charges, 'currency'> {
  return number === null ? {} : { currency: currencyByNumber(number) };
}

function partsOf(text: string): TimePart[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It was written by entryChange.
  const parts = JSON.parse(text) as readonly (readonly [number, number, number])[];
  return parts.map(([from, to, since]) => ({ from, to, since }));
}
