import { amountOf, ticksOf } from '../../../apdu/decode-module/money/tariff.ts';
import { MAX_MONEY } from '../../../apdu/layout/max-money.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import { type SentTerms, ServiceJournal } from '../meter/service-journal.ts';

/** A time for which a card was given keys of a service, seconds since 1970. */
interface GrantedTime {
  readonly service: number;
  readonly from: number;
  readonly to: number;
}

/** Outcomes of requests that bring keys: to the end of a join, or of a segment that is sold by the log alone. */
const GRANTING = ['joined', 'extended', 'keys', 'sold'];

/** When the last purchase ends that a card was ever given here, seconds since 1970; 0 when there was none. */
export async function readLastEnd(store: HeadendStore, cardId: string): Promise<number> {
  return Math.max(0, ...(await readGrantedTimes(store, cardId)).map(({ to }) => to));
}

/**
 * Computes the most that a card can have spent, or still can, of which no receipt came: the price of all that was sent
 * of each service since the last receipt of it, as long as the card had keys.
 * @param cardId 8 octets in hexadecimal.
 * @param currency of its purse, ISO 4217 number.
 * @returns micro-units.
 */
export async function computeHeldBack(store: HeadendStore, cardId: string, currency: number): Promise<bigint> {
  const receipts = await store
    .selectFrom('receipt')
    .select(({ fn }) => ['service', fn.max<number>('timeTo').as('timeTo')])
    .where('cardId', '=', cardId)
    .groupBy('service')
    .execute();
  const last = new Map(receipts.map((row) => [row.service, row.timeTo]));
  let held = 0n;
  for (const { service, from, to } of mergeTimes(await readGrantedTimes(store, cardId))) {
    const start = Math.max(from, last.get(service) ?? 0);
    if (start > to) continue;
    held += await computeToll(store, { service, from: start, to }, currency);
  }
  return held;
}

/** What all that was sent in a time comes to, rounded up as often as there can be receipts. */
async function computeToll(store: HeadendStore, { service, from, to }: GrantedTime, currency: number): Promise<bigint> {
  if (await wasForgotten(store, from)) {
    const { allTerms } = await ServiceJournal.readPrices(store, service);
    // Nobody can tell any more: it may have been all that a card can hold.
    if (allTerms.some(({ tariff, currency: of }) => of === currency && tariff.price > 0n)) return MAX_MONEY;
  }
  const journal = await ServiceJournal.read(store, service, from, to);
  if (journal.isEmpty) return 0n;
  const { octets, duration, groups } = journal.sum(from, to);
  const known = journal.terms(from, to);
  // Where the sender died, its last key may not have been written down.
  const isWhole = journal.isExact(from, to) && known.length > 0;
  const prices = isWhole ? known : [...known, ...(await ServiceJournal.readPrices(store, service)).allTerms];
  const terms = prices.filter((one) => one.currency === currency);
  let toll = BigInt(groups);
  for (const kind of ['octets', 'duration'] as const) {
    toll += amountOf(ticksOf({ kind, price: maxPrice(terms, kind) }, octets, duration, false));
  }
  const segments = new Map<number, bigint>();
  for (const { tariff, segment } of terms) {
    if (tariff.kind === 'flat' && tariff.price > (segments.get(segment) ?? 0n)) segments.set(segment, tariff.price);
  }
  for (const price of segments.values()) toll += price;
  return toll;
}

/** Whether seconds of the journal from a media time on are gone. */
async function wasForgotten(store: HeadendStore, from: number): Promise<boolean> {
  const row = await store.selectFrom('sentForgotten').select('before').where('before', '>', from).executeTakeFirst();
  return row !== undefined;
}

function maxPrice(terms: readonly SentTerms[], kind: 'octets' | 'duration'): bigint {
  return terms.reduce((max, { tariff }) => (tariff.kind === kind && tariff.price > max ? tariff.price : max), 0n);
}

/** Times that meet are one, so that nothing is counted twice. */
function mergeTimes(times: readonly GrantedTime[]): GrantedTime[] {
  const merged: GrantedTime[] = [];
  for (const time of times.toSorted((a, b) => a.service - b.service || a.from - b.from)) {
    const before = merged.at(-1);
    if (before?.service !== time.service || before.to < time.from) merged.push(time);
    else merged.splice(-1, 1, { ...before, to: Math.max(before.to, time.to) });
  }
  return merged;
}

async function readGrantedTimes(store: HeadendStore, cardId: string): Promise<GrantedTime[]> {
  const rows = await store
    .selectFrom('requestLog')
    .select(['service', 'timeFrom', 'timeTo'])
    .distinct()
    .where('cardId', '=', cardId)
    .where('outcome', 'in', GRANTING)
    .execute();
  return rows.flatMap(({ service, timeFrom: from, timeTo: to }) => (to === null ? [] : [{ service, from, to }]));
}
