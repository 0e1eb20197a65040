import { TollcastError } from '../../../apdu/errors.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import { type LedgerAccount, parseLedgerAccount } from './ledger-account.ts';
import type { LedgerLine } from './ledger-entry.ts';

/** An entry as it stands in the ledger. */
export interface KeptLedgerEntry {
  readonly id: number;
  readonly kind: string;
  readonly source: string;
  /** Seconds since 1970. */
  readonly at: number;
  readonly period: string;
  readonly note: string | null;
  readonly lines: readonly LedgerLine[];
}

/** What an account has come to in one currency. */
export interface LedgerBalance {
  readonly account: LedgerAccount;
  /** ISO 4217 number. */
  readonly currency: number;
  /** Micro-units: left side less right side. */
  readonly amount: bigint;
}

/** Which entries; all of them where nothing is named. */
export interface LedgerQuery {
  readonly id?: number;
  readonly kind?: string;
  readonly source?: string;
  readonly account?: LedgerAccount;
  readonly period?: string;
  /** Ids above this one. */
  readonly after?: number;
  /** Entries at most. */
  readonly limit?: number;
}

/** @returns entries in the order in which they were entered. */
export async function readEntries(store: HeadendStore, query: LedgerQuery): Promise<KeptLedgerEntry[]> {
  const { id, kind, source, account, period, after, limit } = query;
  let wanted = store.selectFrom('ledgerEntry').select('id').orderBy('id');
  if (id !== undefined) wanted = wanted.where('id', '=', id);
  if (kind !== undefined) wanted = wanted.where('kind', '=', kind);
  if (source !== undefined) wanted = wanted.where('source', '=', source);
  if (period !== undefined) wanted = wanted.where('period', '=', period);
  if (after !== undefined) wanted = wanted.where('id', '>', after);
  if (account !== undefined) {
    const postings = store.selectFrom('ledgerPosting').select('entryId');
    const sides = postings.where('debit', '=', account).union(postings.where('credit', '=', account));
    wanted = wanted.where('id', 'in', sides);
  }
  if (limit !== undefined) wanted = wanted.limit(limit);
  const rows = await store
    .selectFrom('ledgerEntry as entry')
    .innerJoin('ledgerPosting as posting', 'posting.entryId', 'entry.id')
    .where('entry.id', 'in', wanted)
    .select(['entry.id', 'kind', 'source', 'at', 'period', 'note', 'debit', 'credit', 'currency', 'amount'])
    .orderBy('entry.id')
    .orderBy('line')
    .execute();
  const entries = new Map<number, KeptLedgerEntry & { readonly lines: LedgerLine[] }>();
  for (const { debit, credit, currency, amount, ...entry } of rows) {
    let kept = entries.get(entry.id);
    if (kept === undefined) entries.set(entry.id, (kept = { ...entry, lines: [] }));
    kept.lines.push({ debit: parseLedgerAccount(debit), credit: parseLedgerAccount(credit), currency, amount });
  }
  return [...entries.values()];
}

/** @throws TollcastError `NO_LEDGER_ENTRY`. */
export async function readEntry(store: HeadendStore, id: number): Promise<KeptLedgerEntry> {
  const [entry] = await readEntries(store, { id });
  if (entry !== undefined) return entry;
  throw new TollcastError('NO_LEDGER_ENTRY', `the ledger has no entry ${id}; list entries to find its number`);
}

/**
 * What accounts have come to. All balances of one currency sum to zero.
 * @param account this one; all when left out.
 */
export async function readBalances(store: HeadendStore, account?: LedgerAccount): Promise<LedgerBalance[]> {
  const sums = new Map<string, LedgerBalance>();
  for (const side of ['debit', 'credit'] as const) {
    let sides = store
      .selectFrom('ledgerPosting')
      .select(({ fn }) => [`${side} as account`, 'currency', fn.sum<bigint>('amount').as('sum')])
      .groupBy([side, 'currency']);
    if (account !== undefined) sides = sides.where(side, '=', account);
    for (const row of await sides.execute()) {
      const key = `${row.account} ${row.currency}`;
      const present = sums.get(key)?.amount ?? 0n;
      const amount = side === 'debit' ? present + row.sum : present - row.sum;
      sums.set(key, { account: parseLedgerAccount(row.account), currency: row.currency, amount });
    }
  }
  return [...sums.values()].toSorted((a, b) => (a.account < b.account ? -1 : 1));
}

/** The last month that is closed. */
export async function readLastClosed(store: HeadendStore): Promise<string | undefined> {
  const row = await store
    .selectFrom('ledgerClose')
    .select(({ fn }) => fn.max('period').as('last'))
    .executeTakeFirst();
  return row?.last ?? undefined;
}
