import { describe, expect, test } from 'vitest';
import { computeCharge, makeBill } from '../../../../host/headend/charging/bill.ts';
import type { ChargeTerms } from '../../../../host/headend/charging/charge-terms.ts';
import { openEntry } from '../../../../host/headend/charging/charging-entry.ts';
import { currencyByCode } from '../../../../host/money/currency.ts';
import { NOW } from '../../../support/sample-offer.ts';

const currency = currencyByCode('USD');
const HOURLY: ChargeTerms = { tariff: { kind: 'duration', price: 5_000_000n }, settlement: 'invoice', currency };
const BY_OCTETS: ChargeTerms = { tariff: { kind: 'octets', price: 250_000n }, settlement: 'invoice', currency };

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

test('what the card pays is no invoice, and the charge is what its receipts must come to', () => {
  const opened = { id: 1, user: 'u', session: 's 1 10.0.0.1', service: 7 };
  const time = { from: NOW, to: NOW + 1800 };
  const purse = makeBill(openEntry({ ...opened, terms: { ...HOURLY, settlement: 'purse' } }, time));
  expect([purse.charge, purse.amount]).toEqual([2_500_000n, 0n]);
  const invoice = makeBill(openEntry({ ...opened, terms: HOURLY }, time));
  expect([invoice.charge, invoice.amount]).toEqual([2_500_000n, 2_500_000n]);
});
