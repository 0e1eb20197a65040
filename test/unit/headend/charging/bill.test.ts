import { describe, expect, test } from 'vitest';
import { type Bill, computeCharge, makeBill } from '../../../../host/headend/charging/bill.ts';
import type { ChargeTerms } from '../../../../host/headend/charging/charge-terms.ts';
import { openEntry } from '../../../../host/headend/charging/charging-entry.ts';
import { postBill } from '../../../../host/headend/charging/post-bill.ts';
import { currencyByCode } from '../../../../host/money/currency.ts';
import { NOW } from '../../../support/headend/sample-offer.ts';

const currency = currencyByCode('USD');
const BY_INVOICE = { part: 'content', payer: 'user', settlement: 'invoice' } as const;
const HOURLY: ChargeTerms = { ...BY_INVOICE, tariff: { kind: 'duration', price: 5_000_000n } };
const BY_OCTETS: ChargeTerms = { ...BY_INVOICE, tariff: { kind: 'octets', price: 250_000n } };

describe('charge times fee', () => {
  test('$5.00 an hour for 30 minutes is $2.50', () => {
    expect(computeCharge(HOURLY, 1800, 0n)).toBe(2_500_000n);
  });

  test('$0.25 a megabyte for 25,000,000 octets is $6.25', () => {
    expect(computeCharge(BY_OCTETS, 1800, 25_000_000n)).toBe(6_250_000n);
  });

  test('a price for a programme is paid once, however long it lasts', () => {
    const terms: ChargeTerms = { ...HOURLY, tariff: { kind: 'flat', price: 1_500_000n } };
    expect(computeCharge(terms, 1, 0n)).toBe(1_500_000n);
    expect(computeCharge(terms, 86_400, 0n)).toBe(1_500_000n);
  });

  test('what is left over of a micro-unit is rounded up, once', () => {
    const terms: ChargeTerms = { ...HOURLY, tariff: { kind: 'duration', price: 1n } };
    expect(computeCharge(terms, 3600, 0n)).toBe(1n);
    expect(computeCharge(terms, 3601, 0n)).toBe(2n);
    expect(computeCharge(terms, 1, 0n)).toBe(1n);
  });

  test('a year of days is exact', () => {
    expect(computeCharge(HOURLY, 366 * 86_400, 0n)).toBe(5_000_000n * 24n * 366n);
  });

  test('no time costs nothing, whatever the tariff', () => {
    expect(computeCharge({ ...HOURLY, tariff: { kind: 'flat', price: 5n } }, 0, 9n)).toBe(0n);
  });
});

describe('a bill', () => {
  const opened = { id: 1, user: 'ann', session: 's 1 10.0.0.1', service: 7 };
  const bill = (terms: readonly ChargeTerms[], octets = 0n) =>
    makeBill(openEntry({ ...opened, charges: { terms, currency } }, { from: NOW, to: NOW + 1800 }), octets);
  const posted = (one: Bill) => postBill(one).map(({ values }) => values);

  test('what the card pays is no invoice, and the charge is what its receipts must come to', () => {
    const purse = bill([{ ...HOURLY, settlement: 'purse' }]);
    expect([purse.charge, purse.amount]).toEqual([2_500_000n, 0n]);
    const invoice = bill([HOURLY]);
    expect([invoice.charge, invoice.amount]).toEqual([2_500_000n, 2_500_000n]);
    expect(postBill(purse)).toEqual([]);
  });

  test('has every component, each by its own basis, and each is owed', () => {
    const both = bill([BY_OCTETS, { ...HOURLY, part: 'delivery' }], 25_000_000n);
    expect(both.items.map(({ part, charge }) => [part, charge])).toEqual([
      ['content', 6_250_000n],
      ['delivery', 2_500_000n],
    ]);
    expect(both.amount).toBe(8_750_000n);
    expect(posted(both).slice(1)).toEqual([
      [1, 'user:ann', 'revenue:7', 840, 6_250_000n, 'charge', '1'],
      [2, 'user:ann', 'revenue:7', 840, 2_500_000n, 'charge', '1'],
    ]);
  });

  test("an advert's delivery is paid by its provider, and costs the user nothing", () => {
    const advert = bill([{ ...HOURLY, part: 'delivery', payer: 'provider' }]);
    expect(advert.amount).toBe(0n);
    expect(posted(advert).slice(1)).toEqual([[1, 'provider:7', 'revenue:7', 840, 2_500_000n, 'charge', '1']]);
  });

  test('a price per period is owed for each period that was touched, and named so that it is owed once', () => {
    const DAY = 86_400;
    const monthly: ChargeTerms = { ...BY_INVOICE, tariff: { kind: 'flat', price: 9_900_000n }, period: 30 * DAY };
    const one = bill([monthly]);
    expect([one.charge, one.amount]).toEqual([0n, 0n]);
    const start = NOW - (NOW % (30 * DAY));
    expect(posted(one)).toEqual([
      expect.arrayContaining(['period-fee', `7:content:${start}:ann`]),
      [1, 'user:ann', 'revenue:7', 840, 9_900_000n, 'period-fee', `7:content:${start}:ann`],
    ]);
    const times = { from: start + 30 * DAY - 10, to: start + 30 * DAY + 10 };
    const across = makeBill(openEntry({ ...opened, charges: { terms: [monthly], currency } }, times));
    expect(posted(across).filter(({ length }) => length === 7)).toHaveLength(2);
  });
});
