import fc from 'fast-check';
import { expect, test } from 'vitest';
import { guessIndex } from '../../../../host/stream/packet/packet-index.ts';

test('finds every index within 2^15 of the anchor by its sequence number alone', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 48 - 1 }),
      fc.integer({ min: -0x8000 + 1, max: 0x8000 - 1 }),
      (anchor, distance) => {
        const index = anchor + distance;
        fc.pre(index >= 0);
        expect(guessIndex(anchor, index % 0x10000)).toBe(index);
      },
    ),
  );
});

test('a packet from before the stream has a negative index', () => {
  expect(guessIndex(3, 0xfffe)).toBe(-2);
});
