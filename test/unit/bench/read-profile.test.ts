import { describe, expect, test } from 'vitest';
import figures from '../../bench/card/real-cards.json' with { type: 'json' };
import { readProfile } from '../../bench/read-profile.ts';

const [given] = figures.measured;

describe('a profile that is sent in', () => {
  test('is read whole', () => expect(readProfile(given)).toEqual(given));

  test('may say of everything but a round trip that it was not measured', () => {
    const undone = [{ what: 'LOAD KEY', code: 'CARD_NOT_ACTIVE', why: 'this card is blocked; ask its issuer' }];
    const least = { ...given, startLoad: null, loadKey: null, decode: [], take: null, undone };
    expect(readProfile(least)).toEqual(least);
  });

  test.each([
    ['another form', { profile: 2 }, /profile is not 1/],
    ['a name that would break the table', { name: 'a | b' }, /name is not a name of a chip/],
    ['an ATR that is not hexadecimal', { atr: '3b8' }, /atr/],
    ['a transport that there is not', { transport: 'radio' }, /transport/],
    ['no round trip', { roundTrip: null }, /roundTrip is not an object/],
    ['a time that is not a number', { roundTrip: { perSecond: 1, median: '1', slowest: 1 } }, /median is not a number/],
    ['a time below zero', { roundTrip: { perSecond: 1, median: -1, slowest: 1 } }, /median is not a number/],
    ['a code that would break the table', { undone: [{ what: 'x', code: 'A|B', why: '' }] }, /code/],
    ['no list of what was not measured', { undone: undefined }, /undone is not a list/],
  ])('with %s is refused', (_what, change, message) => {
    expect(() => readProfile({ ...given, ...change })).toThrow(message);
  });

  test('that is no object is refused', () => expect(() => readProfile('profile')).toThrow(/not an object/));
});
