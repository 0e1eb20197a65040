import { expect, onTestFinished, test } from 'vitest';
import { BillingDesk } from '../../../../host/headend/billing/billing-desk.ts';
import { startOfPeriod } from '../../../../host/headend/ledger/ledger-period.ts';
import { forgetSent } from '../../../../host/headend/meter/forget-sent.ts';
import { BillingFixture } from '../../../support/headend/billing/billing-fixture.ts';

const DAY = 86_400;

test('when a month is closed, what was sent so many days before its end is forgotten, and nothing later', async () => {
  const fixture = await BillingFixture.open();
  onTestFinished(() => fixture.close());
  const { store, writer, clock } = fixture;
  const end = startOfPeriod('2026-12');
  const sent = { keyId: 1, octets: 1n, duration: 1n, groups: 1 };
  const terms = { session: 's', segment: 1, tariff: 'octets', price: 1n, currency: 840 } as const;
  for (const service of [7, 8]) {
    await store
      .insertInto('sentKey')
      .values({ service, keyId: 1, ...terms })
      .execute();
    const seconds = [end - 90 * DAY, end - 31 * DAY - 1, end - 31 * DAY, end - 1];
    await store
      .insertInto('sentSecond')
      .values(seconds.map((second) => ({ service, second, ...sent })))
      .execute();
  }
  const billing = new BillingDesk(store, writer, clock, {
    subscriptions: { readFees: async () => [] },
    logBiller: { billDue: async () => 0 },
    onClosed: (closed) => forgetSent(store, writer, closed - 31 * DAY, closed),
  });
  await billing.close('2026-11');
  const left = await store.selectFrom('sentSecond').select(['service', 'second']).execute();
  expect(left.map(({ service, second }) => [service, end - second])).toEqual([
    [7, 31 * DAY],
    [7, 1],
    [8, 31 * DAY],
    [8, 1],
  ]);
  expect(await store.selectFrom('sentKey').selectAll().execute()).toHaveLength(2);
});
