import { type RawBuilder, sql } from 'kysely';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import { readItems } from '../../charging/charging-rows.ts';
import type { CardUsers } from '../users/card-users.ts';
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
  /** Of a bill: what each component of its price came to, JSON. */
  readonly billed: string | null;
}

/** Accounts that are read at a time: nobody else waits for long. */
const PAGE = 2000;
const OF_PAYERS = ['card', 'provider', 'user'];

/** Who may have something on an invoice: users, providers, and the users of cards. */
export async function readPayers(store: HeadendStore, users: CardUsers): Promise<Payers> {
  const payers = new Map<string, string[]>();
  for (const side of ['debit', 'credit'] as const) {
    for (const kind of OF_PAYERS) {
      for await (const account of readAccounts(store, side, kind)) {
        const card = kind === 'card' ? account.slice('card:'.length) : undefined;
        const found = card === undefined ? [account] : users.usersOf(card).map((user) => `user:${user}`);
        for (const payer of found) {
          const accounts = payers.get(payer);
          if (accounts === undefined) payers.set(payer, [account]);
          else if (!accounts.includes(account)) accounts.push(account);
        }
      }
    }
  }
  return payers;
}

/** All accounts of one kind that have a posting on a side, by the index of that side. */
async function* readAccounts(store: HeadendStore, side: 'debit' | 'credit', kind: string): AsyncGenerator<string> {
  for (let after = `${kind}:`; ;) {
    const rows = await store
      .selectFrom('ledgerPosting')
      .select(`${side} as account`)
      .distinct()
      .where(side, '>', after)
      // The character behind the colon.
      .where(side, '<', `${kind};`)
      .orderBy(side)
      .limit(PAGE)
      .execute();
    for (const { account } of rows) yield account;
    if (rows.length < PAGE) return;
    after = rows.at(-1)!.account;
  }
}

/** What some payers have in a month, each currency by itself and in the order of the ledger. */
export async function readPayerItems(
  store: HeadendStore,
  period: string,
  payers: Payers,
  users: CardUsers,
): Promise<PayerItems[]> {
  const accounts = new Set([...payers.values()].flat());
  const found = new Map<string, PayerItems & { readonly items: InvoiceItem[] }>();
  for (const row of await readPosted(store, period, [...accounts])) {
    for (const own of [row.debit, row.credit]) {
      if (!accounts.has(own)) continue;
      // What a card paid was paid by who used it then.
      const isCard = own.startsWith('card:');
      const payer = isCard ? `user:${users.userOf(own.slice('card:'.length), row.at)}` : own;
      const item = payers.has(payer) ? itemOf(row, own) : undefined;
      if (item === undefined) continue;
      const key = `${payer} ${row.currency}`;
      let kept = found.get(key);
      if (kept === undefined) found.set(key, (kept = { account: payer, currency: row.currency, items: [] }));
      kept.items.push(item);
    }
  }
  return [...found.values()];
}

/** A few payers have few lines: it begins with these, as the cross joins say, and not with those of the month. */
async function readPosted(store: HeadendStore, period: string, accounts: readonly string[]): Promise<PostedRow[]> {
  const wanted = sql`(select value from json_each(${JSON.stringify(accounts)}))`;
  const ofSide = (side: RawBuilder<unknown>) =>
    sql`select entry_id, line from ledger_posting where ${side} in ${wanted}`;
  const { rows } = await sql<PostedRow>`
    select entry.id, entry.kind, entry.at, entry.note, entry.source, posting.debit, posting.credit, posting.currency,
      posting.amount, bill.session, coalesce(bill.time_from, receipt.time_from) as time_from,
      coalesce(bill.time_to, receipt.time_to) as time_to, bill.seconds,
      coalesce(bill.octets, receipt.octets) as octets, bill.items as billed
    from (${ofSide(sql`debit`)} union ${ofSide(sql`credit`)}) as own
    cross join ledger_posting as posting on posting.entry_id = own.entry_id and posting.line = own.line
    cross join ledger_entry as entry on entry.id = own.entry_id
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

function billOf({
  kind,
  session,
  timeFrom,
  timeTo,
  seconds,
  octets,
  billed,
  debit,
  amount,
}: PostedRow): Pick<InvoiceItem, 'bill'> {
  if (timeFrom === null || timeTo === null) return {};
  const payer = debit.startsWith('provider:') ? 'provider' : 'user';
  const component = readItems(kind === 'charge' ? (billed ?? '[]') : '[]').find(
    (item) => item.settlement === 'invoice' && item.payer === payer && item.charge === amount,
  );
  // Octets are counted for the whole join, and are of no account to a component by the hour.
  const isCounted = component === undefined || component.tariff.kind === 'octets';
  return {
    bill: {
      from: timeFrom,
      to: timeTo,
      octets: isCounted ? (octets ?? 0n) : 0n,
      ...(session !== null && { session }),
      ...(seconds !== null && { seconds }),
      ...(component !== undefined && { tariff: component.tariff.kind, price: component.tariff.price }),
    },
  };
}
