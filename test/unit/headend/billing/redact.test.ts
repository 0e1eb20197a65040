import { expect, test } from 'vitest';
import { makeRedactor } from '../../../../host/headend/billing/users/redact.ts';

const PERSON = ['ann', 'Ann Quayle', 'a.quayle@example.org +358 40 123', '7 Pier Road'];

test.each([
  ['user ann, card 7', 'user X, card 7'],
  ['ANN-desk-1', 'X-desk-1'],
  ['Ms Quayle rang from 7 Pier Road', 'Ms X rang from X'],
  ['annual, of Joanna, by the channel', 'annual, of Joanna, by the channel'],
  ['quayles', 'Xs'],
])('of what is written of a person alone, "%s" becomes "%s"', (text, redacted) => {
  expect(makeRedactor(PERSON, 'X', true)(text)).toBe(redacted);
});

test.each([
  ['user ann, user anna', 'user X, user anna'],
  ['user quayles, card 7', 'user quayles, card 7'],
])('where others are written of, "%s" becomes "%s"', (text, redacted) => {
  expect(makeRedactor(PERSON, 'X', false)(text)).toBe(redacted);
});

test('signs of patterns are signs, and of nothing nothing is taken', () => {
  expect(makeRedactor(['a.b|(c'], '$&', true)('axb a.b|(c')).toBe('axb $&');
  expect(makeRedactor([''], 'X', true)('as it is')).toBe('as it is');
});
