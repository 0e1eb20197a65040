import { expect, test } from 'vitest';
import { NO_SPEND_LIMIT } from '../../../apdu/decode-module/card-limits.ts';
import { currencyByCode } from '../../../host/money/currency.ts';
import { formatSpendLimit, hasSpendLimit, parseSpendLimit } from '../../../host/money/spend-limit.ts';

const USD = currencyByCode('USD');

test.each([
  ['5.00 USD', 5_000_000n],
  ['0.00 USD', 0n],
  ['none', BigInt(NO_SPEND_LIMIT)],
])('reads and writes %s', (text, limit) => {
  expect(parseSpendLimit(text, USD)).toBe(limit);
  expect(formatSpendLimit(limit, USD)).toBe(text);
  expect(hasSpendLimit(limit)).toBe(text !== 'none');
});

test('takes an amount without its currency, and refuses another currency', () => {
  expect(parseSpendLimit('7.5', USD)).toBe(7_500_000n);
  expect(() => parseSpendLimit('7.5 EUR', USD)).toThrow(/write the amount in USD/);
});
