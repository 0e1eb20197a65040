import { sql } from 'kysely';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { fromHex } from '../../../apdu/octets.ts';
import type { Clock } from '../../clock/clock.ts';
import type { GroupWriter, StoreChange } from '../../store/group-writer.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import { type Bill, billConnection } from '../charging/bill.ts';
import { type Charges, countsOctets } from '../charging/charge-terms.ts';
import { billChanges } from '../charging/charging-rows.ts';
import { type LoggedPurchase, readPurchases } from '../charging/logged-purchases.ts';
import { CardUsers } from './users/card-users.ts';

export interface LogBillerOptions {
  readonly store: HeadendStore;
  readonly writer: Pick<GroupWriter, 'commit'>;
  readonly clock: Clock;
  /** Told what could not be billed; it is tried again. */
  readonly onFailure: (error: unknown) => void;
  /** Reads what keys cost in some time, seconds since 1970. */
  readonly readPrices: (from: number, to: number) => Promise<PastPrices>;
  /** Reads what a session of a service sent in [from, to], second by second. */
  readonly readSent: (service: number, session: string, from: number, to: number) => Promise<SentSeconds>;
}

/** What was asked for keys. */
export interface PastPrices {
  /** @param session as `formatSession` writes it. @param at seconds since 1970. */
  find(session: string, at: number): Charges | undefined;
}

/** What a session sent. */
interface SentSeconds {
  /** All that was sent in [from, to]. */
  sum(from: number, to: number): { readonly octets: number };
}

/** Seconds after the end of a segment, when its log and journal are written, and ms between two looks. */
const LAG = 60;
const INTERVAL = 60_000;
/** Bills that go to disk together. */
const BATCH = 200;
/** What sells; written so that the index of these rows is used. */
const IS_SOLD = sql<boolean>`outcome = 'sold'`;
const KEEP_SEGMENT = 'insert or ignore into billed_segment (service, segment, billed_at) values (?, ?, ?)';
const KEEP_MARK = `insert into log_mark (id, log_id) values (1, ?)
  on conflict (id) do update set log_id = max(log_id, excluded.log_id)`;

/** A segment of which something was sold. */
interface SoldSegment {
  readonly service: number;
  readonly segment: number;
  readonly first: number;
  /** Seconds since 1970. */
  readonly to: number;
  readonly isBilled: boolean;
}

/**
 * Bills what was sold from the log of requests, once its segment is over: a bill for each card and segment, with the
 * number of the row that gave the key first. The same log makes the same bills, however often it is read.
 */
export class LogBiller {
  readonly #options: LogBillerOptions;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: LogBillerOptions) {
    this.#options = options;
  }

  /** Bills what is due until `signal` aborts; what fails is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, onFailure } = this.#options;
    while (!signal.aborted) {
      try {
        await this.billDue();
      } catch (error) {
        onFailure(error);
      }
      try {
        await clock.sleep(INTERVAL, signal);
      } catch {
        return;
      }
    }
  }

  /** Bills what is due now. @returns how many bills, when they are on disk. */
  billDue(): Promise<number> {
    const done = this.#turn.then(() => this.#billDue());
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #billDue(): Promise<number> {
    const { writer } = this.#options;
    const now = Math.floor(this.#options.clock.now() / 1000);
    const { segments, last } = await this.#readSegments();
    let count = 0;
    let failure: Error | undefined;
    const waiting: number[] = [];
    for (const segment of segments) {
      if (segment.isBilled) continue;
      if (segment.to > now - LAG) {
        waiting.push(segment.first);
        continue;
      }
      try {
        count += await this.#billSegment(segment, now);
      } catch (error) {
        // The others are billed all the same.
        failure ??= error instanceof Error ? error : new Error(String(error));
        waiting.push(segment.first);
      }
    }
    if (segments.length > 0) await writer.commit([markChange(Math.min(last, ...waiting.map((first) => first - 1)))]);
    if (failure !== undefined) throw failure;
    return count;
  }

  async #billSegment(segment: SoldSegment, now: number): Promise<number> {
    const { writer } = this.#options;
    const bills = await this.#makeBills(segment);
    for (let at = 0; at < bills.length; at += BATCH) {
      await writer.commit(bills.slice(at, at + BATCH).flatMap((bill) => billChanges(bill, true)));
    }
    await writer.commit([{ sql: KEEP_SEGMENT, values: [segment.service, segment.segment, now] }]);
    return bills.length;
  }

  /** Segments of rows that were written since what is known to be billed. */
  async #readSegments(): Promise<{ readonly segments: readonly SoldSegment[]; readonly last: number }> {
    const { store } = this.#options;
    const mark = await store.selectFrom('logMark').select('logId').executeTakeFirst();
    const rows = await store
      .selectFrom('requestLog as row')
      .leftJoin('billedSegment as billed', (join) =>
        join.onRef('billed.service', '=', 'row.service').onRef('billed.segment', '=', 'row.segmentId'),
      )
      .select(({ fn }) => [
        'row.service',
        'row.segmentId',
        'billedAt',
        fn.min<number>('row.id').as('id'),
        fn.max<number>('row.id').as('logId'),
        fn.max<number>('timeTo').as('timeTo'),
      ])
      .where(IS_SOLD)
      .where('row.id', '>', mark?.logId ?? 0)
      .groupBy(['row.service', 'row.segmentId'])
      .execute();
    const segments = rows.flatMap(({ service, segmentId: segment, billedAt, id: first, timeTo }) =>
      segment === null ? [] : [{ service, segment, first, isBilled: billedAt !== null, to: timeTo }],
    );
    const ends = await Promise.all(segments.map((one) => this.#findEnd(one)));
    return {
      segments: segments.map((one, i) => ({ ...one, to: Math.max(one.to, ends[i]!) })),
      last: Math.max(0, ...rows.map(({ logId }) => logId)),
    };
  }

  /** A card that asked for less than a segment may ask for more of it. @returns 0 where it was not kept. */
  async #findEnd({ service, segment }: SoldSegment): Promise<number> {
    const row = await this.#options.store
      .selectFrom('segment')
      .select(({ fn }) => fn.max<number | null>('validTo').as('validTo'))
      .where('service', '=', service)
      .where('segment', '=', segment)
      .executeTakeFirst();
    return row?.validTo ?? 0;
  }

  async #makeBills({ service, segment }: SoldSegment): Promise<Bill[]> {
    const { store, readPrices, readSent } = this.#options;
    const rows = await store
      .selectFrom('requestLog')
      .select(['id', 'at', 'cardId', 'service', 'session', 'segmentId', 'timeFrom', 'timeTo'])
      .where(IS_SOLD)
      .where('service', '=', service)
      .where('segmentId', '=', segment)
      .orderBy('id')
      .execute();
    const purchases = readPurchases(rows);
    const times = purchases.flatMap((purchase) => purchase.times);
    const [from, to] = [Math.min(...times.map((time) => time.from)), Math.max(...times.map((time) => time.to))];
    const prices = await readPrices(Math.min(...rows.map(({ at }) => at)), Math.max(...rows.map(({ at }) => at)));
    const users = await CardUsers.read(store);
    let sent: SentSeconds | undefined;
    const bills: Bill[] = [];
    for (const purchase of purchases) {
      const { id, cardId, session, at } = purchase;
      // What is given again is owed once, at the price of the first time.
      const charges = prices.find(session, at);
      if (charges === undefined) throw new Error(`no offer of session ${session} was open when row ${id} was logged`);
      if (countsOctets(charges)) sent ??= await readSent(service, session, from, to);
      const user = users.userOf(formatCardId(fromHex(cardId)), at);
      bills.push(billConnection(id, { user, session, service, ...measure(purchase, sent) }, charges));
    }
    return bills;
  }
}

/** Time and octets of a purchase. @param sent by the session, where octets count. */
function measure({ times }: LoggedPurchase, sent: SentSeconds | undefined) {
  const octets = times.reduce((sum, { from, to }) => sum + (sent?.sum(from, to - 1).octets ?? 0), 0);
  return {
    from: times[0]!.from,
    to: times.at(-1)!.to,
    seconds: times.reduce((sum, { from, to }) => sum + to - from, 0),
    octets: BigInt(octets),
  };
}

function markChange(logId: number): StoreChange {
  return { sql: KEEP_MARK, values: [logId] };
}
