import { expect, test } from 'vitest';
import { NO_LIMITS } from '../../../apdu/decode-module/card-limits.ts';
import { InputError } from '../../../apdu/errors.ts';
import {
  describeLimits,
  limitsOfPolicy,
  parseRatingLimit,
  PIN_POLICIES,
  policyOfLimits,
} from '../../../host/issuer/cards/holder-limits.ts';
import { currencyByCode } from '../../../host/money/currency.ts';

test.each(PIN_POLICIES)('PIN policy %s stands for bits that stand for it', (policy) => {
  expect(policyOfLimits({ ...NO_LIMITS, ...limitsOfPolicy(policy) })).toBe(policy);
});

test('a rating limit is an age from 1 to 255, or none', () => {
  expect(['16', '255', 'none'].map(parseRatingLimit)).toEqual([16, 255, 0]);
  for (const text of ['256', '-1', 'adult', '']) expect(() => parseRatingLimit(text), text).toThrow(InputError);
});

test('limits are described on one line', () => {
  const usd = currencyByCode('USD');
  expect(describeLimits(NO_LIMITS, usd)).toBe('spend limit a day none, rating limit none, PIN policy none');
  const limits = { ...NO_LIMITS, spendLimit: 5_000_000n, ratingLimit: 16, pinForSessions: true };
  expect(describeLimits(limits, usd)).toBe('spend limit a day 5.00 USD, rating limit 16, PIN policy sessions');
});
