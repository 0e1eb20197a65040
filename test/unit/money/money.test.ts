import fc from 'fast-check';
import { currencies } from 'countries-list/currencies';
import { describe, expect, test } from 'vitest';
import type { TariffKind } from '../../../apdu/decode-module/money/tariff.ts';
import { FormatError, OutOfRangeError } from '../../../apdu/errors.ts';
import { currencyByCode, currencyByNumber } from '../../../host/money/currency.ts';
import { formatMoney, formatPrice, parseAmount, parseMoney, parsePrice } from '../../../host/money/money.ts';

const codes = Object.entries(currencies)
  .filter(([, entry]) => entry.withdrawn !== true)
  .map(([code]) => code);
const currency = fc.constantFrom(...codes).map(currencyByCode);
const USD = currencyByCode('USD');

describe('currencies', () => {
  test('ISO 4217 has them by code and number', () => {
    expect(USD).toEqual({ code: 'USD', number: 840, digits: 2 });
    expect(currencyByCode('eur').number).toBe(978);
    expect(currencyByCode('JPY')).toEqual({ code: 'JPY', number: 392, digits: 0 });
    expect(currencyByNumber(48)).toEqual({ code: 'BHD', number: 48, digits: 3 });
  });

  test('every code has one number and every number its code', () => {
    for (const code of codes) expect(currencyByNumber(currencyByCode(code).number).code).toBe(code);
  });

  test.each(['', 'US', 'DOLLAR', 'ABC', 'USS', '840', 'toString'])('"%s" is none', (code) => {
    expect(() => currencyByCode(code)).toThrow(FormatError);
  });

  test.each([0, 1, 1000, 65535, -1, 8.4])('number %s is none', (number) => {
    expect(() => currencyByNumber(number)).toThrow(FormatError);
  });
});

describe('amounts', () => {
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

  test('what is written is read, to the micro-unit, in every currency', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 48n - 1n }), currency, (amount, of) => {
        expect(parseMoney(formatMoney(amount, of))).toEqual({ amount, currency: of });
        expect(parseAmount(formatMoney(amount, of), of)).toBe(amount);
      }),
    );
  });

  test('any text is read exactly or refused', () => {
    const digits = fc.stringMatching(/^[0-9]{0,18}(\.[0-9]{0,8})?$/);
    fc.assert(
      fc.property(fc.oneof(fc.string(), digits), (text) => {
        try {
          const amount = parseAmount(text, USD);
          expect(text.trim()).toMatch(/^\d+(\.\d{1,6})?$/);
          const [whole = '', fraction = ''] = text.trim().split('.');
          expect(amount).toBe(BigInt(whole + fraction.padEnd(6, '0')));
        } catch (error) {
          expect(error instanceof FormatError || error instanceof OutOfRangeError).toBe(true);
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
  ])('"%s" is none', (text) => {
    expect(() => parseMoney(text)).toThrow(FormatError);
  });

  test('too much is refused with what would do', () => {
    expect(() => parseMoney('281474976.710656 USD')).toThrow('at most 281474976.710655 USD');
    expect(() => parseAmount('10.01', USD, 10_000_000n)).toThrow('at most 10.00 USD');
  });

  test('an amount whose currency is known may name it, not another', () => {
    expect(parseAmount('500.00', USD)).toBe(500_000_000n);
    expect(parseAmount('500.00 usd', USD)).toBe(500_000_000n);
    expect(() => parseAmount('500.00 EUR', USD)).toThrow(/in USD/);
  });

  test('a balance below zero has a minus', () => {
    expect(formatMoney(-1n, USD)).toBe('-0.000001 USD');
    expect(formatMoney(-2_500_000n, USD)).toBe('-2.50 USD');
  });
});

describe('prices', () => {
  test.each([
    ['0.25 USD/MB', 'octets', 250_000n],
    ['2.00 USD/h', 'duration', 2_000_000n],
    ['1.50 USD/segment', 'flat', 1_500_000n],
    ['4294.967295 EUR/MB', 'octets', 2n ** 32n - 1n],
  ])('%s', (text, kind, price) => {
    const read = parsePrice(text);
    expect(read.tariff).toEqual({ kind, price });
    expect(formatPrice(read)).toBe(text);
  });

  test('free', () => {
    expect(parsePrice('free')).toEqual({ tariff: { kind: 'free', price: 0n } });
    expect(formatPrice(parsePrice('free'))).toBe('free');
  });

  test('what is written is read', () => {
    const kind = fc.constantFrom<TariffKind>('octets', 'duration', 'flat');
    fc.assert(
      fc.property(kind, fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), currency, (of, price, unit) => {
        const whole = { tariff: { kind: of, price }, currency: unit };
        expect(parsePrice(formatPrice(whole))).toEqual(whole);
      }),
    );
  });

  test.each(['', '0.25', '0.25 USD', '0.25 USD/mb', '0.25 USD/GB', '0.25/MB', 'FREE', '-1 USD/h', '1 USD/constructor'])(
    '"%s" is none',
    (text) => {
      expect(() => parsePrice(text)).toThrow(FormatError);
    },
  );

  test('too high is refused with what would do', () => {
    expect(() => parsePrice('4294.967296 USD/MB')).toThrow('at most 4294.967295 USD');
  });
});
