import type { StoreChange } from '../../store/group-writer.ts';
import type { LedgerEntry } from './ledger-entry.ts';
import { type LedgerPeriod, nextPeriod, periodOf } from './ledger-period.ts';

/** An entry whose month is closed goes into the first one that is open. */
const ENTER = `insert into ledger_entry (kind, source, at, period, lines, note)
  values (?, ?, ?, max(?, coalesce((select max(open_from) from ledger_close), '')), ?, ?)
  on conflict (kind, source) do nothing`;
const POST = `insert into ledger_posting (entry_id, line, debit, credit, currency, amount)
  select id, ?, ?, ?, ?, ? from ledger_entry where kind = ? and source = ?
  on conflict (entry_id, line) do nothing`;
const CLOSE = 'insert into ledger_close (period, open_from, closed_at) values (?, ?, ?) on conflict do nothing';

/**
 * Enters an event, in the transaction of its cause. One that has an entry already, or comes to nothing, changes nothing.
 * @throws RangeError when a line is not above 0, or both its sides are one account.
 */
export function postChanges(entry: LedgerEntry): readonly StoreChange[] {
  const { kind, source, at, lines, note = null } = entry;
  if (lines.length === 0) return [];
  if (lines.some(({ debit, credit, amount }) => amount <= 0n || debit === credit)) {
    throw new RangeError(`a line of the ledger (${kind} ${source}) is not above 0, or has the same account twice`);
  }
  return [
    { sql: ENTER, values: [kind, source, at, periodOf(at), lines.length, note] },
    ...lines.map(({ debit, credit, currency, amount }, index) => ({
      sql: POST,
      values: [index + 1, debit, credit, currency, amount, kind, source],
    })),
  ];
}

/** Closes a month and all before it: nothing is entered there any more. @param now seconds since 1970. */
export function closeChange(period: LedgerPeriod, now: number): StoreChange {
  return { sql: CLOSE, values: [period, nextPeriod(period), now] };
}
