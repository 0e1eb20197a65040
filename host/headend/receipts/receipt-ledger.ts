import { sql } from 'kysely';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import type { Receipt } from '../../../apdu/decode-module/money/receipt.ts';
import { fromHex } from '../../../apdu/octets.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import type { LedgerEntry } from '../ledger/ledger-entry.ts';
import { makeReceiptEntry } from '../ledger/make-entries.ts';

/** How the ledger and the receipts of a card differ. */
export type LedgerDifference = 'not in the ledger' | 'ledger differs' | 'no such receipt';

/** A receipt of the database, as far as the ledger knows it. Amounts in micro-units. */
export interface ReceiptFigures {
  /** 8 octets in hexadecimal. */
  readonly cardId: string;
  readonly number: number;
  readonly service: number;
  readonly amount: bigint;
  readonly torn: bigint;
  /** ISO 4217 number. */
  readonly currency: number;
}

/**
 * The ledger entry of a receipt.
 * @param cardId in hexadecimal.
 * @param now seconds since 1970: the receipt is of its last group, but not of a time to come.
 */
export function entryOfReceipt(cardId: string, receipt: Receipt, now: number): LedgerEntry {
  const { number, service, amount, torn, currency, to } = receipt;
  const at = to > 0 && to < now ? to : now;
  const source = sourceOf(cardId, number);
  return makeReceiptEntry({ source, at, cardId: printId(cardId), service, amount, torn, currency });
}

/** Holds receipts against their entries, line by line. */
export async function checkLedger<R extends ReceiptFigures>(
  store: HeadendStore,
  receipts: readonly R[],
): Promise<{ receipt: R; kind: LedgerDifference; why: string }[]> {
  const sources = JSON.stringify(receipts.map(({ cardId, number }) => sourceOf(cardId, number)));
  const rows = await store
    .selectFrom('ledgerEntry as entry')
    .innerJoin('ledgerPosting as posting', 'posting.entryId', 'entry.id')
    .where('kind', '=', 'receipt')
    .where('source', 'in', sql<string>`(select value from json_each(${sources}))`)
    .select(['source', 'debit', 'credit', 'currency', 'amount'])
    .orderBy('entry.id')
    .orderBy('line')
    .execute();
  const entered = new Map<string, string>();
  for (const { source, ...line } of rows) {
    entered.set(source, `${entered.get(source) ?? ''}${describeLine(line)};`);
  }
  return receipts.flatMap((receipt) => {
    const { cardId, number, service, amount, torn, currency } = receipt;
    const source = sourceOf(cardId, number);
    const { lines } = makeReceiptEntry({ source, at: 0, cardId: printId(cardId), service, amount, torn, currency });
    const due = lines.map((line) => `${describeLine(line)};`).join('');
    const is = entered.get(source) ?? '';
    if (is === due) return [];
    const kind: LedgerDifference = is === '' ? 'not in the ledger' : 'ledger differs';
    return [{ receipt, kind, why: is === '' ? `the ledger has no ${due}` : `the ledger has ${is} and not ${due}` }];
  });
}

/** An entry whose receipt is not here. */
export interface LoneEntry {
  /** 8 octets in hexadecimal. */
  readonly cardId: string;
  readonly number: number;
  /** What earned by it; undefined where nothing but torn credit stands in it. */
  readonly service: number | undefined;
  /** Seconds since 1970. */
  readonly at: number;
  /** Micro-units that were earned. */
  readonly amount: bigint;
}

/** Entries of receipts that are not here. @param span times of the entries, seconds since 1970. */
export async function findLoneEntries(
  store: HeadendStore,
  {
    from,
    to,
    service,
    cardId,
  }: { from: number; to: number; service?: number | undefined; cardId?: string | undefined },
): Promise<LoneEntry[]> {
  const ofEntry = store
    .selectFrom('receipt')
    .select('number')
    .where('cardId', '=', sql<string>`substr(entry.source, 1, 16)`)
    .where('number', '=', sql<number>`cast(substr(entry.source, 18) as integer)`);
  const earned = sql<string>`'revenue:%'`;
  const rows = await store
    .selectFrom('ledgerEntry as entry')
    .leftJoin('ledgerPosting as posting', (join) =>
      join.onRef('posting.entryId', '=', 'entry.id').on('posting.credit', 'like', earned),
    )
    .select(['source', 'at', 'credit', 'amount'])
    .where('kind', '=', 'receipt')
    .where('at', '>=', from)
    .where('at', '<=', to)
    .where((of) => of.not(of.exists(ofEntry)))
    .$if(cardId !== undefined, (query) => query.where(sql<string>`substr(entry.source, 1, 16)`, '=', cardId!))
    .$if(service !== undefined, (query) => query.where('credit', '=', `revenue:${service!}`))
    .orderBy('entry.id')
    .execute();
  return rows.map(({ source, at, credit, amount }) => ({
    cardId: source.slice(0, 16),
    number: Number(source.slice(17)),
    service: credit === null ? undefined : Number(credit.slice('revenue:'.length)),
    at,
    amount: amount ?? 0n,
  }));
}

/** Accounts name a card as it is printed. */
function printId(cardId: string): string {
  return formatCardId(fromHex(cardId));
}

function sourceOf(cardId: string, number: number): string {
  return `${cardId}:${number}`;
}

function describeLine(line: { debit: string; credit: string; currency: number; amount: bigint }): string {
  return `${line.debit} to ${line.credit} ${line.amount} of ${line.currency}`;
}
