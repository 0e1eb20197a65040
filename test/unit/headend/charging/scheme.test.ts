import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { makeBill } from '../../../../host/headend/charging/bill.ts';
import type { ChargeTerms } from '../../../../host/headend/charging/charge-terms.ts';
import { openEntry } from '../../../../host/headend/charging/charging-entry.ts';
import type { ChargingScheme } from '../../../../host/headend/charging/schemes/charging-scheme.ts';
import { addScheme, applyScheme } from '../../../../host/headend/charging/schemes/known-schemes.ts';
import { loadSchemes } from '../../../../host/headend/roles/money/load-schemes.ts';
import { currencyByCode } from '../../../../host/money/currency.ts';

const NIGHT = {
  user: 'ann',
  session: 's',
  service: 7,
  seconds: 3600,
  octets: 0n,
  tariff: { kind: 'duration', price: 1n },
} as const;

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

  test.each<[string, () => unknown, RegExp]>([
    ['a number', () => 5, /gave the number 5 and not micro-units as a bigint/],
    ['a promise', async () => 5n, /gave a value of type object and not micro-units/],
    ['nothing', () => undefined, /gave a value of type undefined/],
    [
      'an error',
      () => {
        throw new Error('no tide table');
      },
      /threw "no tide table" for service 7 from 0 to 60/,
    ],
  ])('that gives %s is told with its function and file, and nothing is billed', (_what, scheme, message) => {
    addScheme('broken', scheme as ChargingScheme, 'chargeTide of tide.ts');
    expect(() => billBy('broken', 60)).toThrow(message);
    expect(() => billBy('broken', 60)).toThrow(/^scheme broken, chargeTide of tide\.ts, .*mend it/);
  });

  test('of an own module is loaded by its file and function; what cannot be used is told with both', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tollcast-scheme-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'tide.js');
    await writeFile(file, 'export const chargeTide = ({ charge }) => charge / 2n;\nexport const other = 5;\n');
    await loadSchemes([{ name: 'tide', file, functionName: 'chargeTide' }]);
    expect(billBy('tide', 3600)).toBe(2_500_000n);
    await expect(loadSchemes([{ name: 'tide', file, functionName: 'other' }])).rejects.toThrow(
      `schemes.tide.function: ${file} exports no function other, but chargeTide, other; name the function there`,
    );
    const gone = join(folder, 'gone.js');
    await expect(loadSchemes([{ name: 'tide', file: gone, functionName: 'x' }])).rejects.toThrow(
      new RegExp(`^schemes\\.tide\\.file: ${gone} cannot be loaded .*; name a module`),
    );
  });

  test('that is shipped as an example bills half of what lies between midnight and six, in whole micro-units', async () => {
    const file = 'scripts/half-at-night.ts';
    await loadSchemes([{ name: 'half-at-night', file, functionName: 'chargeHalfAtNight' }]);
    const DAY = 86_400;
    fc.assert(
      fc.property(
        fc.nat({ max: 3 * DAY }),
        fc.integer({ min: 1, max: 2 * DAY }),
        fc.bigInt(0n, 10n ** 12n),
        (from, seconds, charge) => {
          const to = from + seconds;
          const at = { user: 'ann', session: 's', service: 7, from, to, seconds, octets: 0n, tariff: HOURLY.tariff };
          const amount = applyScheme('half-at-night', { ...at, charge });
          expect(amount >= charge / 2n - 1n && amount <= charge).toBe(true);
        },
      ),
    );
    const hour = (from: number) =>
      applyScheme('half-at-night', { ...NIGHT, from, to: from + 3600, charge: 5_000_000n });
    expect([hour(0), hour(5 * 3600), hour(5.5 * 3600), hour(6 * 3600)]).toEqual([
      2_500_000n,
      2_500_000n,
      3_750_000n,
      5_000_000n,
    ]);
  });

  test('that is not there bills nothing at all', () => {
    expect(() => billBy('none', 1)).toThrow('no scheme is called none');
  });
});
