import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TariffKind } from '../../../apdu/decode-module/money/tariff.ts';
import { InputError } from '../../../apdu/errors.ts';
import { formatPrice, parsePrice } from '../../../host/money/price.ts';
import { BY_DIGITS, makeCurrency } from '../../support/currencies.ts';

test.each([
  ['0.25 USD/MB', 'octets', 250_000n],
  ['2.00 USD/h', 'duration', 2_000_000n],
  ['1.50 USD/segment', 'flat', 1_500_000n],
  ['4294.967295 EUR/MB', 'octets', 2n ** 32n - 1n],
])('"%s" is read and written', (text, kind, price) => {
  const read = parsePrice(text);
  expect(read.tariff).toEqual({ kind, price });
  expect(formatPrice(read)).toBe(text);
});

test('a free tariff has no currency', () => {
  expect(parsePrice('free')).toEqual({ tariff: { kind: 'free', price: 0n } });
  expect(formatPrice(parsePrice('free'))).toBe('free');
});

test.each([...BY_DIGITS.keys()])('a price in a currency with %i decimals is read back as it was written', (digits) => {
  const kind = fc.constantFrom<TariffKind>('octets', 'duration', 'flat');
  fc.assert(
    fc.property(kind, fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), makeCurrency(digits), (tariff, price, currency) => {
      const whole = { tariff: { kind: tariff, price }, currency };
      expect(parsePrice(formatPrice(whole))).toEqual(whole);
    }),
  );
});

test.each(['', '0.25', '0.25 USD', '0.25 USD/mb', '0.25 USD/GB', '0.25/MB', 'FREE', '-1 USD/h', '1 USD/constructor'])(
  '"%s" is not a price',
  (text) => {
    expect(() => parsePrice(text)).toThrow(InputError);
  },
);

test('a price above the maximum is refused, and the maximum is named', () => {
  expect(() => parsePrice('4294.967296 USD/MB')).toThrow('at most 4294.967295 USD');
});
