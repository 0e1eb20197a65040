import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InputError, OutOfRangeError } from '../../../apdu/errors.ts';
import { formatMoney, parseAmount, parseMoney } from '../../../host/money/amount.ts';
import { currencyByCode } from '../../../host/money/currency.ts';
import { BY_DIGITS, makeCurrency } from '../../support/currencies.ts';

const USD = currencyByCode('USD');

test.each([
  ['10 USD', 10_000_000n, '10.00 USD'],
  ['6.25 USD', 6_250_000n, '6.25 USD'],
  ['0.000001 EUR', 1n, '0.000001 EUR'],
  ['1.250 KWD', 1_250_000n, '1.250 KWD'],
  ['500 JPY', 500_000_000n, '500 JPY'],
  ['0.5 JPY', 500_000n, '0.5 JPY'],
  ['  007.10   usd ', 7_100_000n, '7.10 USD'],
  ['281474976.710655 USD', 2n ** 48n - 1n, '281474976.710655 USD'],
])('"%s" is %s micro-units', (text, amount, written) => {
  const money = parseMoney(text);
  expect(money.amount).toBe(amount);
  expect(formatMoney(money.amount, money.currency)).toBe(written);
});

test.each([...BY_DIGITS.keys()])(
  'an amount of a currency with %i decimals is read back as it was written',
  (digits) => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 48n - 1n }), makeCurrency(digits), (amount, currency) => {
        expect(parseMoney(formatMoney(amount, currency))).toEqual({ amount, currency });
        expect(parseAmount(formatMoney(amount, currency), currency)).toBe(amount);
      }),
    );
  },
);

test('any text is either read exactly or refused', () => {
  const digits = fc.stringMatching(/^[0-9]{0,18}(\.[0-9]{0,8})?$/);
  fc.assert(
    fc.property(fc.oneof(fc.string(), digits), (text) => {
      try {
        const amount = parseAmount(text, USD);
        expect(text.trim()).toMatch(/^\d+(\.\d{1,6})?$/);
        const [whole = '', fraction = ''] = text.trim().split('.');
        expect(amount).toBe(BigInt(whole + fraction.padEnd(6, '0')));
      } catch (error) {
        expect(error instanceof InputError || error instanceof OutOfRangeError).toBe(true);
      }
    }),
  );
});

test.each([
  '',
  'USD',
  '10',
  '-1 USD',
  '+1 USD',
  '1e3 USD',
  '1,000 USD',
  '.5 USD',
  '5. USD',
  '0x10 USD',
  '1.0000001 USD',
  '1 USD EUR',
  '1 $',
  '١٠ USD',
  'NaN USD',
  '999999999999999999999999999999999 USD',
])('"%s" is not an amount', (text) => {
  expect(() => parseMoney(text)).toThrow(InputError);
});

test('an amount above the maximum is refused, and the maximum is named', () => {
  expect(() => parseMoney('281474976.710656 USD')).toThrow('at most 281474976.710655 USD');
  expect(() => parseAmount('10.01', USD, 10_000_000n)).toThrow('at most 10.00 USD');
});

test('an amount whose currency is known may name this currency, but no other', () => {
  expect(parseAmount('500.00', USD)).toBe(500_000_000n);
  expect(parseAmount('500.00 usd', USD)).toBe(500_000_000n);
  expect(() => parseAmount('500.00 EUR', USD)).toThrow(/in USD/);
});

test('a balance below zero has a minus', () => {
  expect(formatMoney(-1n, USD)).toBe('-0.000001 USD');
  expect(formatMoney(-2_500_000n, USD)).toBe('-2.50 USD');
});
