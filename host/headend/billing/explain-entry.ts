import { sql } from 'kysely';
import { parseCardId } from '../../../apdu/decode-module/card-id.ts';
import { toHex } from '../../../apdu/octets.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import type { LostCardTable } from '../../store/headend/tables/lost-card-tables.ts';
import type { ReceiptRowTable } from '../../store/headend/tables/receipt-tables.ts';
import type { BillTable, RequestLogTable } from '../../store/headend/tables/request-tables.ts';
import type { SubscriptionTable } from '../../store/headend/tables/subscription-tables.ts';
import { SOLD_OUTCOME } from '../charging/logged-purchases.ts';
import { readPeriodFee } from '../charging/post-bill.ts';
import { type KeptLedgerEntry, readEntries, readEntry } from '../ledger/read-ledger.ts';
import { type Dispute, readDisputes } from './disputes/read-disputes.ts';

/** A ledger entry, and all that it came from. */
export interface Explanation {
  readonly entry: KeptLedgerEntry;
  /** Of a charge: the bill, which has the number of its charging entry. */
  readonly bill?: BillTable;
  /** Of a charge: what the card asked for and got, in its order. */
  readonly requests?: readonly RequestLogTable[];
  /** Of a receipt: what the card signed. */
  readonly receipt?: Omit<ReceiptRowTable, 'message'>;
  /** Of a price per period: the subscriptions that touched it, by their start. */
  readonly subscriptions?: readonly SubscriptionTable[];
  /** Of a price per period: the connections that touched it, by their start. */
  readonly connections?: readonly BillTable[];
  /** Of a move: the card that was lost, and what was decided of its balance. */
  readonly lostCard?: LostCardTable;
  /** Of a correction: the entry that was taken back, with what it came from. */
  readonly corrected?: Explanation;
  /** Entry that takes this one back. */
  readonly correction?: KeptLedgerEntry;
  /** Who disputed it, and how that was ruled. */
  readonly disputes?: readonly Dispute[];
  /** Of what gives something back: the dispute that was upheld. */
  readonly upheld?: Dispute;
}

/**
 * Follows an entry to its source.
 * @throws TollcastError `NO_LEDGER_ENTRY`.
 */
export async function explainEntry(store: HeadendStore, id: number): Promise<Explanation> {
  const entry = await readEntry(store, id);
  const [correction] = await readEntries(store, { kind: 'correction', source: String(id) });
  const disputes = await readDisputes(store, { entry: id });
  const [upheld] = await readDisputes(store, { givenBy: id });
  return {
    entry,
    ...(correction !== undefined && { correction }),
    ...(disputes.length > 0 && { disputes }),
    ...(upheld !== undefined && { upheld }),
    ...(await readSource(store, entry)),
  };
}

async function readSource(store: HeadendStore, { kind, source }: KeptLedgerEntry): Promise<Partial<Explanation>> {
  switch (kind) {
    case 'charge':
      return explainCharge(store, Number(source));
    case 'period-fee':
      return explainPeriodFee(store, source);
    case 'receipt':
      return explainReceipt(store, source);
    case 'move':
      return explainMove(store, source);
    case 'correction':
      return { corrected: await explainEntry(store, Number(source)) };
    default:
      return {};
  }
}

async function explainCharge(store: HeadendStore, entryId: number): Promise<Partial<Explanation>> {
  const bill = await store.selectFrom('bill').selectAll().where('entryId', '=', entryId).executeTakeFirst();
  // A charging entry has the number of the request that it was opened by.
  const opened = await store.selectFrom('requestLog').selectAll().where('id', '=', entryId).executeTakeFirst();
  if (bill === undefined || opened === undefined) return { ...(bill !== undefined && { bill }) };
  if (opened.outcome === SOLD_OUTCOME) return { bill, requests: await readSales(store, opened) };
  const requests = await store
    .selectFrom('requestLog')
    .selectAll()
    .where('cardId', '=', opened.cardId)
    .where('session', '=', opened.session)
    .where('id', '>=', entryId)
    .where('id', '<', await findNextJoin(store, opened))
    .orderBy('id')
    .execute();
  return { bill, requests };
}

/** The rows that gave a card the key of one segment. */
function readSales(store: HeadendStore, { cardId, service, segmentId }: RequestLogTable): Promise<RequestLogTable[]> {
  return store
    .selectFrom('requestLog')
    .selectAll()
    .where(sql<boolean>`outcome = 'sold'`)
    .where('cardId', '=', cardId)
    .where('service', '=', service)
    .where('segmentId', '=', segmentId)
    .orderBy('id')
    .execute();
}

/** The next entry of the card for the session begins with a join. */
async function findNextJoin(store: HeadendStore, { id, cardId, session }: RequestLogTable): Promise<number> {
  const row = await store
    .selectFrom('requestLog')
    .select(({ fn }) => fn.min<number>('id').as('id'))
    .where('cardId', '=', cardId)
    .where('session', '=', session)
    .where('id', '>', id)
    .where('outcome', '=', 'joined')
    .executeTakeFirst();
  return row?.id ?? Number.MAX_SAFE_INTEGER;
}

/** Rows that are told of one period: one of a provider may have thousands. */
const MAX_ROWS = 20;

/** What made somebody owe a price per period: who was subscribed in it, and who was connected. */
async function explainPeriodFee(store: HeadendStore, source: string): Promise<Partial<Explanation>> {
  const { service, part, start, user } = readPeriodFee(source);
  const subscriptions = await store
    .selectFrom('subscription')
    .selectAll()
    .where('service', '=', service)
    .where('part', '=', part)
    .where('since', '<', sql<number>`${start} + seconds`)
    .where((of) => of.or([of('until', 'is', null), of('until', '>', start)]))
    .$if(user !== undefined, (query) => query.where('user', '=', user!))
    .orderBy('since')
    .limit(MAX_ROWS)
    .execute();
  const bills = await store
    .selectFrom('bill')
    .selectAll()
    .where('service', '=', service)
    .where('timeTo', '>', start)
    .where('seconds', '>', 0)
    .where('isClosed', '=', true)
    .where(sql<boolean>`exists (select 1 from json_each(items) where value ->> 'part' = ${part}
      and time_from < ${start} + (value ->> 'period'))`)
    .$if(user !== undefined, (query) => query.where('user', '=', user!))
    .orderBy('timeFrom')
    .limit(MAX_ROWS)
    .execute();
  return { subscriptions, connections: bills };
}

async function explainReceipt(store: HeadendStore, source: string): Promise<Partial<Explanation>> {
  const [card = '', number = ''] = source.split(':');
  const row = await store
    .selectFrom('receipt')
    .selectAll()
    .where('cardId', '=', toHex(parseCardId(card)))
    .where('number', '=', Number(number))
    .executeTakeFirst();
  if (row === undefined) return {};
  const { message: _message, ...receipt } = row;
  return { receipt };
}

async function explainMove(store: HeadendStore, source: string): Promise<Partial<Explanation>> {
  const cardId = toHex(parseCardId(source));
  const lostCard = await store.selectFrom('lostCard').selectAll().where('cardId', '=', cardId).executeTakeFirst();
  return lostCard === undefined ? {} : { lostCard };
}
