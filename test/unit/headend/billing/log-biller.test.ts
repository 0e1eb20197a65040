import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogBiller } from '../../../../host/headend/billing/log-biller.ts';
import type { Charges } from '../../../../host/headend/charging/charge-terms.ts';
import { billOfRow } from '../../../../host/headend/charging/charging-rows.ts';
import { SentJournal } from '../../../../host/headend/meter/sent-journal.ts';
import { ServiceJournal } from '../../../../host/headend/meter/service-journal.ts';
import { currencyByCode } from '../../../../host/money/currency.ts';
import { BillingFixture } from '../../../support/headend/billing/billing-fixture.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';

const SESSION = 'finnkino 457286529 172.10.20.212';
const START = 1_796_000_000;
/** Seconds of a segment, and after its end until when nothing of it is billed. */
const SEGMENT = 100;
const LAG = 60;
const USD = currencyByCode('USD');

let billing: BillingFixture;
let id: number;
/** Micro-units a second, and from when on. */
let prices: { readonly since: number; readonly price: bigint }[];

beforeEach(async () => {
  billing = await BillingFixture.open();
  await billing.store.insertInto('session').values({ id: 1, service: 7, name: 'main', origin: SESSION }).execute();
  id = 0;
  prices = [{ since: 0, price: 1n }];
});

afterEach(async () => {
  await billing.close();
});

function chargesAt(at: number): Charges {
  const { price } = prices.findLast(({ since }) => since <= at)!;
  const tariff = { kind: 'duration', price: 3600n * price } as const;
  return { terms: [{ part: 'delivery', payer: 'user', settlement: 'invoice', tariff }], currency: USD };
}

function billerAt(now: number, charges = chargesAt): LogBiller {
  return new LogBiller({
    store: billing.store,
    writer: billing.writer,
    clock: new SimulatedClock(now * 1000),
    onFailure: (error) => expect.fail(String(error)),
    readPrices: async () => ({ find: (_session, at) => charges(at) }),
    readSent: (...wanted) => ServiceJournal.readSession(billing.store, ...wanted),
  });
}

interface Given {
  readonly card: number;
  readonly segment: number;
  /** Seconds of the segment. */
  readonly from: number;
  readonly to: number;
}

async function log({ card, segment, from, to }: Given, outcome = 'sold'): Promise<void> {
  const start = START + segment * SEGMENT;
  await billing.store
    .insertInto('requestLog')
    .values({
      id: ++id,
      at: start + from,
      cardId: `0a1b2c02${String(card).padStart(8, '0')}`,
      kind: 'join',
      service: 7,
      session: SESSION,
      segmentId: segment,
      timeFrom: start + from,
      timeTo: start + to,
      requestId: null,
      outcome,
    })
    .execute();
}

async function keepSegment(segment: number): Promise<void> {
  const [validFrom, validTo] = [START + segment * SEGMENT, START + (segment + 1) * SEGMENT];
  await billing.store
    .insertInto('segment')
    .values({ service: 7, keyId: segment, sessionId: 1, segment, validFrom, validTo })
    .execute();
}

async function bills() {
  return (await billing.store.selectFrom('bill').selectAll().orderBy('entryId').execute()).map(billOfRow);
}

test('each card owes each second that it could open once, whatever it asks and however often it is billed', async () => {
  const SEGMENTS = 4;
  for (let segment = 1; segment <= SEGMENTS; segment++) await keepSegment(segment);
  const given = fc.record({
    card: fc.integer({ min: 1, max: 3 }),
    segment: fc.integer({ min: 1, max: SEGMENTS }),
    time: fc.uniqueArray(fc.integer({ min: 0, max: SEGMENT }), { minLength: 2, maxLength: 2 }),
    outcome: fc.constantFrom('sold', 'sold', 'sold', 'keys', 'too-late'),
  });
  const script = fc.record({
    given: fc.array(given, { maxLength: 12 }),
    looks: fc.array(fc.integer({ min: 0, max: 6 * SEGMENT }), { maxLength: 5 }),
    forgets: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(script, async ({ given: all, looks, forgets }) => {
      for (const table of ['requestLog', 'bill', 'billedSegment', 'logMark'] as const) {
        await billing.store.deleteFrom(table).execute();
      }
      // Time passes: rows are written when they are, and somebody looks now and then.
      const rows = all.map(({ card, segment, time: [a, b], outcome }) => {
        return { card, segment, from: Math.min(a!, b!), to: Math.max(a!, b!), outcome };
      });
      const events = [
        ...rows.map((row) => ({ at: row.segment * SEGMENT + row.from, row })),
        ...looks.map((at) => ({ at, row: undefined })),
      ].toSorted((one, other) => one.at - other.at);
      for (const { at, row } of events) {
        if (row === undefined) await billerAt(START + at).billDue();
        else await log(row, row.outcome);
      }
      if (forgets) {
        await billing.store.deleteFrom('billedSegment').execute();
        await billing.store.deleteFrom('logMark').execute();
      }
      const end = START + 10 * SEGMENT;
      await billerAt(end).billDue();
      expect(await billerAt(end).billDue()).toBe(0);
      const seconds = new Set(
        rows
          .filter(({ outcome }) => outcome === 'sold')
          .flatMap(({ card, segment, from, to }) =>
            Array.from({ length: to - from }, (_, i) => `${card} ${segment} ${from + i}`),
          ),
      );
      const owed = await bills();
      expect(owed.reduce((sum, bill) => sum + bill.amount, 0n)).toBe(BigInt(seconds.size));
      expect(owed.reduce((sum, bill) => sum + bill.seconds, 0)).toBe(seconds.size);
    }),
    { numRuns: 60 },
  );
});

test('a segment is billed a minute after its end, not after that of the time that was asked for', async () => {
  await keepSegment(1);
  await log({ card: 1, segment: 1, from: 0, to: 10 });
  const end = START + 2 * SEGMENT;
  expect(await billerAt(end + LAG - 1).billDue()).toBe(0);
  await log({ card: 1, segment: 1, from: 50, to: 60 });
  expect(await billerAt(end + LAG).billDue()).toBe(1);
  expect(await bills()).toMatchObject([{ entryId: 1, seconds: 20, amount: 20n, user: '0a1b2c-02-00000001' }]);
});

test('a segment that the key manager did not keep before it died is billed by the log', async () => {
  await log({ card: 1, segment: 9, from: 0, to: 30 });
  expect(await billerAt(START + 9 * SEGMENT + 30 + LAG).billDue()).toBe(1);
});

test('it is owed by who had the card when the key was given first', async () => {
  await keepSegment(1);
  const change = START + SEGMENT + 15;
  await billing.store
    .insertInto('cardUser')
    .values([
      { cardId: '0a1b2c0200000001', since: 0, until: change, user: 'ann' },
      { cardId: '0a1b2c0200000001', since: change, until: null, user: 'bo' },
    ])
    .execute();
  await log({ card: 1, segment: 1, from: 10, to: 20 });
  await keepSegment(2);
  await log({ card: 1, segment: 2, from: 10, to: 20 });
  await billerAt(START + 5 * SEGMENT).billDue();
  expect((await bills()).map(({ user }) => user)).toEqual(['ann', 'bo']);
});

test('what is given again is owed at the price of the first time', async () => {
  await keepSegment(1);
  await log({ card: 1, segment: 1, from: 0, to: 10 });
  prices.push({ since: START + SEGMENT + 20, price: 5n });
  await log({ card: 1, segment: 1, from: 20, to: 30 });
  await log({ card: 2, segment: 1, from: 20, to: 30 });
  await billerAt(START + 3 * SEGMENT).billDue();
  expect((await bills()).map(({ amount }) => amount)).toEqual([20n, 50n]);
});

test('octets are those that the session sent while the card could open them, and no other session', async () => {
  await keepSegment(1);
  const price = { tariff: { kind: 'octets', price: 1_000_000n }, currency: USD } as const;
  for (const [ssrc, session] of [
    [1, SESSION],
    [3, 'other 1 10.0.0.1'],
  ] as const) {
    const journal = new SentJournal(billing.writer, { service: 7, session, ...price });
    journal.keyChanged(1);
    const start = START + SEGMENT;
    await journal.begin(ssrc, start);
    for (let second = 0; second < SEGMENT; second++) {
      await journal.count({
        mode: 'sealed',
        spanBlocks: 1,
        packets: 1,
        octets: 1000 + second,
        duration: 0,
        mediaTime: start + second,
        contentKeyId: ssrc,
        ssrc,
        group: second,
        index: second,
      });
    }
    await journal.close();
  }
  await log({ card: 1, segment: 1, from: 0, to: 2 });
  await log({ card: 1, segment: 1, from: 10, to: 11 });
  const terms = [{ part: 'content', payer: 'user', settlement: 'invoice', tariff: price.tariff }] as const;
  await billerAt(START + 3 * SEGMENT, () => ({ terms, currency: USD })).billDue();
  expect(await bills()).toMatchObject([{ octets: 3011n, amount: 3011n }]);
});
