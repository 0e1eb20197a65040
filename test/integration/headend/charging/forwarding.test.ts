import { afterEach, describe, expect, test } from 'vitest';
import type { Bill } from '../../../../host/headend/charging/bill.ts';
import type { BillingPort } from '../../../../host/headend/charging/billing-port.ts';
import { addScheme } from '../../../../host/headend/charging/schemes/known-schemes.ts';
import { StoreBilling } from '../../../../host/headend/charging/store-billing.ts';
import { currencyByCode } from '../../../../host/money/currency.ts';
import { answerOf, DeskFixture, HandCard, SOLD } from '../../../support/headend/request-desk-fixture.ts';
import { NOW } from '../../../support/headend/sample-offer.ts';

const card = new HandCard(1);
const other = new HandCard(2);
let fixture: DeskFixture;

afterEach(() => fixture.close());

const entries = () => fixture.store.selectFrom('chargingEntry').select(['id', 'closedAt']).execute();

/** Billing that does as a test says; what it takes is kept in the head-end's database. */
class Billing implements BillingPort {
  readonly taken: Bill[] = [];
  isAway = false;
  /** Whether it keeps what it is sent, and its confirm is lost. */
  losesConfirms = false;
  waits: Promise<void> | undefined;

  async forward(bill: Bill, isClosed: boolean): Promise<void> {
    if (this.isAway) throw new Error('billing is away');
    await this.waits;
    this.taken.push(bill);
    await new StoreBilling(fixture.writer).forward(bill, isClosed);
    if (this.losesConfirms) throw new Error('the confirm is lost');
  }
}

test('a closed entry stays until its forward is confirmed, over attempts and restarts', async () => {
  const billing = new Billing();
  fixture = await DeskFixture.open({ billing });
  billing.isAway = true;
  await fixture.join(card, NOW, NOW + 100);
  await fixture.goTo(NOW + 100);
  await fixture.goTo(NOW + 200);
  await fixture.restart();
  await fixture.desk.tick();
  expect(await entries()).toEqual([{ id: 1, closedAt: NOW + 100 }]);
  billing.isAway = false;
  await fixture.goTo(NOW + 300);
  expect(billing.taken).toMatchObject([{ entryId: 1, seconds: 100 }]);
  expect(await entries()).toEqual([]);
  expect(fixture.desk.entries()).toEqual([]);
});

test('an entry whose confirm was lost is forwarded again, and billed once', async () => {
  const billing = new Billing();
  fixture = await DeskFixture.open({ billing });
  billing.losesConfirms = true;
  await fixture.join(card, NOW, NOW + 100);
  await fixture.goTo(NOW + 100);
  await fixture.restart();
  billing.losesConfirms = false;
  await fixture.goTo(NOW + 120);
  expect(billing.taken.map(({ entryId }) => entryId)).toEqual([1, 1]);
  expect(await fixture.bills()).toMatchObject([{ entryId: 1, seconds: 100 }]);
  expect(await entries()).toEqual([]);
});

test('members end in time, however long billing takes', async () => {
  const billing = new Billing();
  fixture = await DeskFixture.open({ billing });
  const released = Promise.withResolvers<void>();
  billing.waits = released.promise;
  const stop = new AbortController();
  const running = fixture.desk.run(stop.signal);
  await fixture.join(card, NOW, NOW + 100);
  await fixture.join(other, NOW, NOW + 200);
  await fixture.clock.advance(100_000);
  await fixture.writer.commit([]);
  await fixture.clock.advance(100_000);
  await fixture.writer.commit([]);
  expect(fixture.listed()).toEqual([]);
  expect(billing.taken).toEqual([]);
  released.resolve();
  stop.abort();
  await running;
  await fixture.desk.tick();
  expect(billing.taken.map(({ seconds }) => seconds).toSorted((a, b) => a - b)).toEqual([100, 200]);
  expect(await entries()).toEqual([]);
});

test('a leave at once is forwarded without waiting for another timer', async () => {
  fixture = await DeskFixture.open();
  const stop = new AbortController();
  const running = fixture.desk.run(stop.signal);
  await fixture.join(card, NOW, NOW + 1000);
  await fixture.clock.advance(10_000);
  await fixture.desk.answer(card.sign('leave', NOW + 10, NOW + 10));
  await fixture.clock.advance(1);
  stop.abort();
  await running;
  expect(await fixture.bills()).toMatchObject([{ seconds: 10 }]);
});

test('open entries are transferred each period, and the desk sleeps in between', async () => {
  const seconds: number[] = [];
  const billing = { forward: async (bill: Bill) => void seconds.push(bill.seconds) };
  fixture = await DeskFixture.open({ charging: { mode: 'transfer', billing, period: 60 } });
  await fixture.join(card, NOW, NOW + 200);
  const stop = new AbortController();
  const running = fixture.desk.run(stop.signal);
  await fixture.clock.advance(190_000);
  stop.abort();
  await running;
  expect(seconds).toEqual([60, 120, 180]);
});

describe('entries survive a restart', () => {
  test('with all their parts and terms', async () => {
    const currency = { code: 'USD', number: 840, digits: 2 };
    const terms = {
      part: 'content',
      payer: 'user',
      tariff: { kind: 'duration', price: 5_000_000n },
      settlement: 'invoice',
    } as const;
    fixture = await DeskFixture.open({ sold: [{ ...SOLD, charges: { terms: [terms], currency } }] });
    await fixture.join(card, NOW + 10, NOW + 100);
    await fixture.desk.answer(card.sign('extend', NOW + 100, NOW + 300));
    await fixture.desk.answer(card.sign('leave', NOW, NOW + 200));
    const before = fixture.desk.entries();
    expect(before[0]!.parts).toHaveLength(3);
    await fixture.restart();
    expect(fixture.desk.entries()).toEqual(before);
  });
});

test.each(['forward', 'direct'] as const)(
  'mode %s: what a scheme cannot say is not billed and not lost; a leave is answered, and the operator is told',
  async (mode) => {
    const told: unknown[] = [];
    const tide = { part: 'content', payer: 'user', settlement: 'invoice', scheme: 'tide' } as const;
    const terms = [{ ...tide, tariff: { kind: 'duration', price: 3_600_000n } }] as const;
    const sold = { ...SOLD, charges: { terms, currency: currencyByCode('USD') } };
    addScheme('tide', () => {
      throw new Error('no tide table');
    });
    const onFailure = (error: unknown) => void told.push(error);
    fixture = await DeskFixture.open({ mode, sold: [sold], onFailure });
    await fixture.join(card, NOW, NOW + 100, sold);
    await fixture.goTo(NOW + 50);
    expect(answerOf(await fixture.desk.answer(card.sign('leave', NOW + 50, NOW + 50)))).toMatchObject({
      outcome: 'left',
    });
    await fixture.goTo(NOW + 70);
    await fixture.goTo(NOW + 90);
    expect(told).toEqual([expect.objectContaining({ code: 'SCHEME_FAILED' })]);
    expect(await fixture.bills()).toEqual([]);
    expect(await entries()).toEqual([{ id: 1, closedAt: NOW + 50 }]);
    addScheme('tide', ({ charge }) => charge / 2n);
    await fixture.goTo(NOW + 110);
    expect(await fixture.bills()).toMatchObject([{ entryId: 1, seconds: 50, amount: 25_000n }]);
    expect(await entries()).toEqual([]);
  },
);
