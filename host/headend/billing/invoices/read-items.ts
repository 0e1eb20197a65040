import { type RawBuilder, sql } from 'kysely';
import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import type { TariffKind } from '../../../../apdu/decode-module/money/tariff.ts';
import { fromHex } from '../../../../apdu/octets.ts';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import type { InvoiceItem } from './invoice.ts';

/** Who is sent an invoice, and the accounts of the ledger that are on it: its own, and those of its cards. */
export type Payers = ReadonlyMap<string, readonly string[]>;

/** All that one payer owes in one currency. */
export interface PayerItems {
  readonly account: string;
  /** ISO 4217 number. */
  readonly currency: number;
  readonly items: readonly InvoiceItem[];
}

/** The source of the refund of a credit note begins so; it is no line of an invoice. */
export const CREDIT_NOTE = 'credit-note ';

/** A line of the ledger, with the bill or the receipt that it came from. */
interface PostedRow {
  readonly id: number;
  readonly kind: string;
  readonly at: number;
  readonly note: string | null;
  readonly source: string;
  readonly debit: string;
  readonly credit: string;
  readonly currency: number;
  readonly amount: bigint;
  readonly session: string | null;
  readonly timeFrom: number | null;
  readonly timeTo: number | null;
  readonly seconds: number | null;
  readonly octets: bigint | null;
  readonly tariff: TariffKind | null;
  readonly price: bigint | null;
}

/** Who has something in a month: users, providers, and the users of cards. */
export async function readPayers(store: HeadendStore, period: string): Promise<Payers> {
  const users = new Map<string, string>();
  for (const { cardId, user } of await store.selectFrom('cardUser').selectAll().execute()) {
    users.set(formatCardId(fromHex(cardId)), user);
  }
  const payers = new Map<string, string[]>();
  for (const side of ['debit', 'credit'] as const) {
    const rows = await store
      .selectFrom('ledgerEntry as entry')
      .innerJoin('ledgerPosting as posting', 'posting.entryId', 'entry.id')
      .where('period', '=', period)
      .where(
        sql<boolean>`(${sql.ref(side)} glob 'user:*' or ${sql.ref(side)} glob 'provider:*' or ${sql.ref(side)} glob 'card:*')`,
      )
      .select(`${side} as account`)
      .distinct()
      .execute();
    for (const { account } of rows) {
      const card = account.startsWith('card:') ? account.slice('card:'.length) : undefined;
      const payer = card === undefined ? account : `user:${users.get(card) ?? card}`;
      const accounts = payers.get(payer);
      if (accounts === undefined) payers.set(payer, [account]);
      else if (!accounts.includes(account)) accounts.push(account);
    }
  }
  return payers;
}

/** What some payers have in a month, each currency by itself and in the order of the ledger. */
export async function readItems(store: HeadendStore, period: string, payers: Payers): Promise<PayerItems[]> {
  const payerOf = new Map([...payers].flatMap(([payer, accounts]) => accounts.map((account) => [account, payer])));
  const found = new Map<string, PayerItems & { readonly items: InvoiceItem[] }>();
  for (const row of await readPosted(store, period, [...payerOf.keys()])) {
    for (const own of [row.debit, row.credit]) {
      const payer = payerOf.get(own);
      const item = payer === undefined ? undefined : itemOf(row, own);
      if (payer === undefined || item === undefined) continue;
      const key = `${payer} ${row.currency}`;
      let kept = found.get(key);
      if (kept === undefined) found.set(key, (kept = { account: payer, currency: row.currency, items: [] }));
      kept.items.push(item);
    }
  }
  return [...found.values()];
}

async function readPosted(store: HeadendStore, period: string, accounts: readonly string[]): Promise<PostedRow[]> {
  const wanted = sql`(select value from json_each(${JSON.stringify(accounts)}))`;
  const ofSide = (side: RawBuilder<unknown>) =>
    sql`select entry_id, line from ledger_posting where ${side} in ${wanted}`;
  const { rows } = await sql<PostedRow>`
    select entry.id, entry.kind, entry.at, entry.note, entry.source, posting.debit, posting.credit, posting.currency,
      posting.amount, bill.session, coalesce(bill.time_from, receipt.time_from) as time_from,
      coalesce(bill.time_to, receipt.time_to) as time_to, bill.seconds,
      coalesce(bill.octets, receipt.octets) as octets, bill.tariff, bill.price
    from (${ofSide(sql`debit`)} union ${ofSide(sql`credit`)}) as own
    join ledger_posting as posting on posting.entry_id = own.entry_id and posting.line = own.line
    join ledger_entry as entry on entry.id = own.entry_id
    left join bill on entry.kind = 'charge' and bill.entry_id = cast(entry.source as integer)
    left join receipt on entry.kind = 'receipt' and receipt.card_id = substr(entry.source, 1, 16)
      and receipt.number = cast(substr(entry.source, 18) as integer)
    where entry.period = ${period}
    order by entry.id, posting.line`.execute(store);
  return rows;
}

/** @param own account of the payer that the line touches. @returns undefined for what is no charge, as a payment. */
function itemOf(row: PostedRow, own: string): InvoiceItem | undefined {
  const { id, kind, at, note, source, debit, credit, amount } = row;
  const isDebit = own === debit;
  const [other = '', name = ''] = (isDebit ? credit : debit).split(':', 2);
  const isCard = own.startsWith('card:');
  // What is on a card was paid before, and what a user borrowed for it is to be paid now.
  const isCharged = other === 'revenue' || (!isCard && (other === 'card' || other === 'refunds'));
  if (!isCharged || source.startsWith(CREDIT_NOTE)) return undefined;
  return {
    entry: id,
    kind,
    at,
    note,
    ...(other !== 'card' && { service: Number(name) }),
    ...(isCard && { card: own.slice('card:'.length) }),
    amount: isDebit ? amount : -amount,
    ...billOf(row),
  };
}

function billOf({ session, timeFrom, timeTo, seconds, octets, tariff, price }: PostedRow): Pick<InvoiceItem, 'bill'> {
  if (timeFrom === null || timeTo === null) return {};
  return {
    bill: {
      from: timeFrom,
      to: timeTo,
      octets: octets ?? 0n,
      ...(session !== null && { session }),
      ...(seconds !== null && { seconds }),
      ...(tariff !== null && { tariff }),
      ...(price !== null && { price }),
    },
  };
}
