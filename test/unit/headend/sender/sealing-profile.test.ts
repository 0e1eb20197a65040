import { expect, test } from 'vitest';
import { chooseProfile, limitGroups } from '../../../../host/headend/sender/sealing-profile.ts';

test('every 100th packet is a card packet with a span of 64, unless told otherwise', () => {
  const closingTime = 250;
  const usual = { mode: 'sealed', every: 100, span: 64, packing: 7, closingTime };
  expect(chooseProfile({ mode: 'sealed', closingTime })).toEqual(usual);
  expect(chooseProfile({ mode: 'open', every: 3, span: 16, closingTime })).toEqual({
    ...usual,
    mode: 'open',
    every: 3,
    span: 16,
  });
});

test('strict takes every octet through the card, one TS packet at a time', () => {
  const strict = { mode: 'open', every: 1, span: 208, packing: 1, closingTime: 250 };
  expect(chooseProfile({ mode: 'strict', closingTime: 250 })).toEqual(strict);
  expect(chooseProfile({ mode: 'strict', every: 1, span: 208, closingTime: 250 })).toEqual(strict);
});

test.each([{ every: 2 }, { span: 64 }])('strict with %o is refused', (wrong) =>
  expect(() => chooseProfile({ mode: 'strict', closingTime: 250, ...wrong })).toThrow(/leave out --every and --span/),
);

test('a group comes to at most its packets of 1,316 octets, and one payload beyond the closing time', () => {
  expect(limitGroups({ every: 10, closingTime: 250 })).toEqual({ groupOctets: 13_160, groupDuration: 3250 });
});
