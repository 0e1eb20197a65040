import { sql } from 'kysely';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { fromHex } from '../../../apdu/octets.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';

/** @param cardId in hexadecimal. @returns micro-units. */
export type FindOrdered = (cardId: string) => Promise<bigint | undefined>;

/** A card whose counter of loads is not what the ledger has, as its last receipt shows. Amounts in micro-units. */
export interface LoadDifference {
  /** 8 octets in hexadecimal. */
  readonly cardId: string;
  /** Of the last receipt. */
  readonly number: number;
  readonly service: number;
  /** Seconds since 1970: of that receipt. */
  readonly from: number;
  readonly to: number;
  /** What the card was loaded in all. */
  readonly amount: bigint;
  readonly why: string;
}

interface LastReceipt {
  readonly cardId: string;
  readonly number: number;
  readonly service: number;
  readonly timeFrom: number;
  readonly timeTo: number;
  readonly loaded: bigint;
}

/** What was entered for a card: an order has a load, and what it gave back. */
interface EnteredLoad {
  readonly source: string;
  readonly at: number;
  readonly amount: bigint;
}

/** Cards whose loads are looked up at a time. */
const PAGE = 1000;

/**
 * Holds what each card says it was loaded against what the ledger has for it.
 * @param findOrdered what a card was ordered to load and has not proved; undefined where its accounts are elsewhere.
 */
export async function findLoadDifferences(
  store: HeadendStore,
  { from, to, cardId }: { readonly from: number; readonly to: number; readonly cardId?: string | undefined },
  findOrdered: FindOrdered,
): Promise<LoadDifference[]> {
  const found: LoadDifference[] = [];
  for (let after = ''; ;) {
    const receipts = await readLast(store, after, cardId);
    const entered = await readEntered(store, receipts);
    for (const receipt of receipts) {
      const { timeFrom, timeTo, number, service, loaded: amount } = receipt;
      // A receipt without groups has no time: it is of every span.
      if (timeTo !== 0 && (timeTo < from || timeTo > to)) continue;
      const all = entered.get(receipt.cardId) ?? [];
      if (compare(receipt, all, 0n) === undefined) continue;
      const ordered = await findOrdered(receipt.cardId);
      const why = ordered === undefined ? undefined : compare(receipt, all, ordered);
      if (why === undefined) continue;
      found.push({ cardId: receipt.cardId, number, service, from: timeFrom, to: timeTo, amount, why });
    }
    const last = receipts.at(-1);
    if (last === undefined || receipts.length < PAGE) return found;
    after = last.cardId;
  }
}

/**
 * @param ordered what was ordered and is not proved: the card may have carried it out.
 * @returns what differs; undefined where nothing does.
 */
function compare(
  { loaded, timeFrom }: LastReceipt,
  entered: readonly EnteredLoad[],
  ordered: bigint,
): string | undefined {
  const all = sumOf(entered);
  if (loaded > all && loaded !== all + ordered)
    return `the card was loaded ${loaded}, and the ledger has ${all} for it`;
  const before = entered.filter(({ at }) => at < timeFrom);
  // The last order may have been carried out later than it was signed.
  const carriedOut = sumOf(before.filter(({ source }) => source !== before.at(-1)?.source));
  if (loaded >= carriedOut) return undefined;
  return `the ledger has ${carriedOut} before this receipt, and the card was loaded ${loaded}`;
}

function sumOf(entered: readonly EnteredLoad[]): bigint {
  return entered.reduce((sum, { amount }) => sum + amount, 0n);
}

function readLast(store: HeadendStore, after: string, cardId: string | undefined): Promise<LastReceipt[]> {
  return store
    .selectFrom('receipt as row')
    .select(['cardId', 'number', 'service', 'timeFrom', 'timeTo', 'loaded'])
    .where('number', '=', sql<number>`(select max(number) from receipt where card_id = row.card_id)`)
    .where('cardId', '>', after)
    .$if(cardId !== undefined, (query) => query.where('cardId', '=', cardId!))
    .orderBy('cardId')
    .limit(PAGE)
    .execute();
}

/** Loads, what they gave back, and what came from lost cards, in the order in which they were entered. */
async function readEntered(
  store: HeadendStore,
  receipts: readonly LastReceipt[],
): Promise<ReadonlyMap<string, readonly EnteredLoad[]>> {
  const names = new Map(receipts.map(({ cardId }) => [`card:${formatCardId(fromHex(cardId))}`, cardId]));
  const rows = await store
    .selectFrom('ledgerPosting as posting')
    .innerJoin('ledgerEntry as entry', 'entry.id', 'posting.entryId')
    .select(['credit', 'source', 'at', 'amount'])
    .where('kind', 'in', ['load', 'refund', 'move'])
    .where('credit', 'in', sql<string>`(select value from json_each(${JSON.stringify([...names.keys()])}))`)
    .orderBy('entry.at')
    .orderBy('entry.id')
    .execute();
  const entered = new Map<string, EnteredLoad[]>();
  for (const { credit, ...load } of rows) {
    const cardId = names.get(credit);
    if (cardId === undefined) continue;
    const known = entered.get(cardId);
    if (known === undefined) entered.set(cardId, [load]);
    else known.push(load);
  }
  return entered;
}
