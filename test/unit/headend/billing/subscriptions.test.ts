import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BillingDesk } from '../../../../host/headend/billing/billing-desk.ts';
import { explainEntry } from '../../../../host/headend/billing/explain-entry.ts';
import { Subscriptions } from '../../../../host/headend/billing/subscriptions.ts';
import { makeBill } from '../../../../host/headend/charging/bill.ts';
import { openEntry } from '../../../../host/headend/charging/charging-entry.ts';
import { StoreBilling } from '../../../../host/headend/charging/store-billing.ts';
import { type LedgerPeriod, startOfPeriod } from '../../../../host/headend/ledger/ledger-period.ts';
import { readEntries } from '../../../../host/headend/ledger/read-ledger.ts';
import { currencyByCode } from '../../../../host/money/currency.ts';
import { BillingFixture } from '../../../support/headend/billing/billing-fixture.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';

const DAY = 86_400;
/** Periods of ten days, from 1970 on. */
const PERIOD = 10 * DAY;
const NOVEMBER = startOfPeriod('2026-11');
const DECEMBER = startOfPeriod('2026-12');
/** Of the first period that ends in November. */
const FIRST = NOVEMBER - (NOVEMBER % PERIOD);
const USD = currencyByCode('USD');

let billing: BillingFixture;
let price: bigint;
let payer: 'user' | 'provider';

beforeEach(async () => {
  billing = await BillingFixture.open();
  price = 9_900_000n;
  payer = 'user';
});

afterEach(async () => {
  await billing.close();
});

/** @param now seconds since 1970. */
function at(now: number): Subscriptions {
  const part = { part: 'content', settlement: 'invoice', payer } as const;
  return new Subscriptions(billing.store, billing.writer, new SimulatedClock(now * 1000), (number) => {
    if (number === 7) {
      return { plan: { components: [{ ...part, basis: 'period', price, period: PERIOD }], currency: USD } };
    }
    return number === 8 ? { plan: { components: [{ ...part, basis: 'duration', price }], currency: USD } } : undefined;
  });
}

async function close(month: LedgerPeriod, now = DECEMBER + 60 * DAY): Promise<void> {
  await new BillingDesk(billing.store, billing.writer, new SimulatedClock(now * 1000), {
    subscriptions: at(now),
    logBiller: { billDue: async () => 0 },
  }).close(month);
}

test('an entry of a period names who was subscribed and connected in it, and nobody else', async () => {
  const user = 'ann:of the 3rd floor';
  await at(FIRST + DAY).subscribe(user, 7);
  await at(FIRST + 2 * DAY).unsubscribe(user, 7);
  await at(FIRST + 2 * DAY).subscribe('bo', 7);
  await watch(user, FIRST + 5 * DAY);
  await watch(user, FIRST + PERIOD + DAY);
  await watch('bo', FIRST + 5 * DAY + 1);
  const [entry] = await readEntries(billing.store, { kind: 'period-fee', source: `7:content:${FIRST}:${user}` });
  const { subscriptions, connections } = await explainEntry(billing.store, entry!.id);
  expect(subscriptions).toMatchObject([{ user, since: FIRST + DAY, until: FIRST + 2 * DAY, price }]);
  expect(connections).toMatchObject([{ user, timeFrom: FIRST + 5 * DAY }]);
  expect(await at(FIRST + 3 * DAY).list({ service: 7 })).toMatchObject([{ user }, { user: 'bo', until: null }]);
});

/** A connection of a minute, which is billed. */
async function watch(user: string, from: number): Promise<void> {
  const terms = [
    { part: 'content', payer: 'user', settlement: 'invoice', tariff: { kind: 'flat', price }, period: PERIOD },
  ] as const;
  const opened = { id: from, user, session: 's 1 10.0.0.1', service: 7, charges: { terms, currency: USD } };
  await new StoreBilling(billing.writer).forward(makeBill(openEntry(opened, { from, to: from + 60 })), true);
}

/** Sources of the fees, and the month that each is in. */
async function fees(): Promise<string[]> {
  const entries = await readEntries(billing.store, { kind: 'period-fee' });
  return entries.map(({ source, period, lines }) => `${source} ${period} ${lines[0]!.debit} ${lines[0]!.amount}`);
}

const owed = (start: number, month: string, user = 'ann', amount = 9_900_000n) =>
  `7:content:${start}:${user} ${month} user:${user} ${amount}`;

describe('who is subscribed', () => {
  test('owes each period that ended in a month when it is closed, though it joins nothing', async () => {
    await at(NOVEMBER).subscribe('ann', 7);
    expect(await fees()).toEqual([]);
    await close('2026-11');
    const november = [0, 1, 2].map((i) => owed(FIRST + i * PERIOD, '2026-11'));
    expect(await fees()).toEqual(november);
    await close('2026-11');
    expect(await fees()).toEqual(november);
    await close('2026-12');
    expect((await fees()).slice(3)).toEqual([3, 4, 5].map((i) => owed(FIRST + i * PERIOD, '2026-12')));
  });

  test('owes the same when several months are closed at once', async () => {
    await at(NOVEMBER).subscribe('ann', 7);
    await close('2026-12');
    expect(await fees()).toEqual(
      [0, 1, 2, 3, 4, 5].map((i) => owed(FIRST + i * PERIOD, i < 3 ? '2026-11' : '2026-12')),
    );
  });

  test('owes a period once, joined or not, and whichever is entered first', async () => {
    await at(NOVEMBER).subscribe('ann', 7);
    await watch('ann', FIRST + PERIOD + DAY);
    await watch('bo', FIRST + PERIOD + DAY);
    await close('2026-11');
    await watch('ann', FIRST + 2 * PERIOD + DAY);
    expect((await fees()).toSorted()).toEqual(
      [...[0, 1, 2].map((i) => owed(FIRST + i * PERIOD, '2026-11')), owed(FIRST + PERIOD, '2026-11', 'bo')].toSorted(),
    );
  });

  test('owes the period in which it ends, and none that begins later', async () => {
    await at(NOVEMBER).subscribe('ann', 7);
    await at(FIRST + PERIOD + DAY).unsubscribe('ann', 7);
    await at(FIRST + PERIOD).subscribe('bo', 7);
    await at(FIRST + 2 * PERIOD).unsubscribe('bo', 7);
    await close('2026-12');
    expect((await fees()).toSorted()).toEqual(
      [owed(FIRST, '2026-11'), owed(FIRST + PERIOD, '2026-11'), owed(FIRST + PERIOD, '2026-11', 'bo')].toSorted(),
    );
  });

  test('has one subscription, however often; another price is for later periods', async () => {
    await at(NOVEMBER).subscribe('ann', 7);
    await at(NOVEMBER + 5).subscribe('ann', 7);
    expect(await billing.store.selectFrom('subscription').select('since').execute()).toEqual([{ since: NOVEMBER }]);
    price = 12_000_000n;
    await at(FIRST + PERIOD + DAY).subscribe('ann', 7);
    await close('2026-11');
    expect(await fees()).toEqual([
      owed(FIRST, '2026-11'),
      owed(FIRST + PERIOD, '2026-11'),
      owed(FIRST + 2 * PERIOD, '2026-11', 'ann', 12_000_000n),
    ]);
  });
});

test('who ends it in the same second owes nothing, and is subscribed when it is said again', async () => {
  await at(NOVEMBER).subscribe('ann', 7);
  await at(NOVEMBER).unsubscribe('ann', 7);
  await at(NOVEMBER).subscribe('bo', 7);
  await at(NOVEMBER).unsubscribe('bo', 7);
  await at(NOVEMBER).subscribe('bo', 7);
  await close('2026-11');
  expect(await fees()).toEqual([0, 1, 2].map((i) => owed(FIRST + i * PERIOD, '2026-11', 'bo')));
});

test('what a provider pays by the period it owes once, however many are subscribed', async () => {
  payer = 'provider';
  await at(FIRST + 2 * PERIOD).subscribe('ann', 7);
  await at(FIRST + 2 * PERIOD).subscribe('bo', 7);
  await close('2026-11');
  expect(await fees()).toEqual([`7:content:${FIRST + 2 * PERIOD}:provider 2026-11 provider:7 9900000`]);
});

test.each<[string, (subscriptions: Subscriptions) => Promise<void>, string]>([
  ['a service that is not sold', (one) => one.subscribe('ann', 9), 'service 9 is not sold here'],
  ['one without a price per period', (one) => one.subscribe('ann', 8), 'service 8 has no price per period'],
  ['a name that no user can have', (one) => one.subscribe('a\nb', 7), 'is not an account of the ledger'],
  ['who was not subscribed', (one) => one.unsubscribe('ann', 7), 'ann has no subscription of service 7'],
])('%s is refused', async (_, work, reason) => {
  await expect(work(at(NOVEMBER))).rejects.toThrow(reason);
});
