import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeBill } from '../../../../host/headend/charging/bill.ts';
import type { ChargeTerms } from '../../../../host/headend/charging/charge-terms.ts';
import { openEntry } from '../../../../host/headend/charging/charging-entry.ts';
import { addScheme } from '../../../../host/headend/charging/schemes/known-schemes.ts';
import { currencyByCode } from '../../../../host/money/currency.ts';

const HOURLY: ChargeTerms = {
  part: 'content',
  payer: 'user',
  tariff: { kind: 'duration', price: 5_000_000n },
  settlement: 'invoice',
};

function billBy(scheme: string, seconds: number) {
  const charges = { terms: [{ ...HOURLY, scheme }], currency: currencyByCode('USD') };
  const opened = { id: 1, user: 'ann', session: 's', service: 7, charges };
  return makeBill(openEntry(opened, { from: 0, to: seconds })).amount;
}

describe('a scheme', () => {
  test.each([
    [300, 0n],
    [301, 1389n],
    [2100, 2_500_000n],
  ])('that is shipped makes five minutes free: %d s are billed %d', (seconds, amount) => {
    expect(billBy('after-five-minutes', seconds)).toBe(amount);
  });

  test('bills no more than the offer said, and nothing below 0', () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.integer({ min: 0, max: 1_000_000 }), (wild, seconds) => {
        addScheme('wild', () => wild);
        const most = makeBill(
          openEntry(
            { id: 1, user: 'ann', session: 's', service: 7, charges: { terms: [HOURLY] } },
            { from: 0, to: seconds },
          ),
        ).amount;
        const amount = billBy('wild', seconds);
        expect(amount >= 0n && amount <= most).toBe(true);
      }),
    );
  });

  test('that is not there bills nothing at all', () => {
    expect(() => billBy('none', 1)).toThrow('no scheme is called none');
  });
});
