import { expect, test } from 'vitest';
import { FormatError, InputError } from '../../../apdu/errors.ts';
import { currencyByCode, currencyByNumber } from '../../../host/money/currency.ts';
import { CODES } from '../../support/currencies.ts';

test('a currency is found by its code or its number', () => {
  expect(currencyByCode('USD')).toEqual({ code: 'USD', number: 840, digits: 2 });
  expect(currencyByCode('eur').number).toBe(978);
  expect(currencyByCode('JPY')).toEqual({ code: 'JPY', number: 392, digits: 0 });
  expect(currencyByNumber(48)).toEqual({ code: 'BHD', number: 48, digits: 3 });
});

test('each code leads to a number, and this number back to the code', () => {
  for (const code of CODES) expect(currencyByNumber(currencyByCode(code).number).code).toBe(code);
});

test.each(['', 'US', 'DOLLAR', 'ABC', 'USS', '840', 'toString'])('"%s" is not a currency code', (code) => {
  expect(() => currencyByCode(code)).toThrow(InputError);
});

test.each([0, 1, 1000, 65535, -1, 8.4])('%s is not a currency number', (number) => {
  expect(() => currencyByNumber(number)).toThrow(FormatError);
});
