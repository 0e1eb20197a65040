import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import {
  coverSlots,
  MAX_SEEDS,
  splitSlots,
  deriveSeedKey,
  SLOT_DEPTH,
  deriveSlotKeys,
  SLOTS,
} from '../../../../apdu/decode-module/keys/marks.ts';
import { sealSeedPurchase } from '../../../../apdu/decode-module/keys/seed-purchase.ts';
import { OutOfRangeError } from '../../../../apdu/errors.ts';

const ROOT = new Uint8Array(16).map((_, i) => i);
const range = fc
  .tuple(fc.integer({ min: 0, max: SLOTS }), fc.integer({ min: 0, max: SLOTS }))
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

/** A leaf from the root, bit by bit, as the page has it. */
function leafByHand(slot: number): string {
  let key = Buffer.from(ROOT);
  for (const bit of slot.toString(2).padStart(SLOT_DEPTH, '0')) {
    key = createHash('sha256')
      .update(Buffer.from([Number(bit)]))
      .update(key)
      .digest()
      .subarray(0, 16);
  }
  return key.toString('hex');
}

describe('covers of slots', () => {
  test('cover every slot of a range once and no other, with the least seeds', () => {
    fc.assert(
      fc.property(range, ([from, to]) => {
        const labels = coverSlots(from, to);
        let at = from;
        for (const { level, index } of labels) {
          const size = 2 ** (SLOT_DEPTH - level);
          expect(index * size).toBe(at);
          at += size;
        }
        expect(at).toBe(to);
        expect(labels.length).toBeLessThanOrEqual(38);
        // Two halves of one node next to each other would be one seed too many.
        labels.slice(1).forEach(({ level, index }, i) => {
          const before = labels[i]!;
          expect(before.level === level && before.index % 2 === 0 && index === before.index + 1).toBe(false);
        });
      }),
    );
  });

  test('are split into purchases of at most 32 seeds, one after the other', () => {
    fc.assert(
      fc.property(range, ([from, to]) => {
        const ranges = splitSlots(from, to);
        expect(ranges.length).toBeLessThanOrEqual(2);
        let at = from;
        for (const part of ranges) {
          expect(part.from).toBe(at);
          expect(part.labels.length).toBeLessThanOrEqual(MAX_SEEDS);
          expect(part.labels.reduce((sum, { level }) => sum + 2 ** (SLOT_DEPTH - level), 0)).toBe(part.to - part.from);
          at = part.to;
        }
        expect(at).toBe(to);
      }),
    );
    expect(coverSlots(1, SLOTS - 1)).toHaveLength(38);
  });

  test('are refused for what is not a range of slots', () => {
    for (const [from, to] of [
      [0, 0],
      [5, 4],
      [-1, 3],
      [0, SLOTS + 1],
      [0.5, 2],
    ] as const) {
      expect(() => coverSlots(from, to)).toThrow(OutOfRangeError);
    }
  });
});

describe('keys of the seed tree', () => {
  test('give a leaf the same key from any seed above it as from the root', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: SLOTS - 1 }), fc.integer({ min: 0, max: SLOT_DEPTH }), (slot, level) => {
        const above = { level, index: Math.floor(slot / 2 ** (SLOT_DEPTH - level)) };
        const leaf = deriveSeedKey(deriveSeedKey(ROOT, above), { level: SLOT_DEPTH, index: slot }, above);
        expect(Buffer.from(leaf).toString('hex')).toBe(leafByHand(slot));
      }),
      { numRuns: 50 },
    );
  });

  test('are refused for a node that is not below the seed', () => {
    expect(() => deriveSeedKey(ROOT, { level: 3, index: 4 }, { level: 1, index: 0 })).toThrow(OutOfRangeError);
    expect(() => deriveSeedKey(ROOT, { level: 0, index: 0 }, { level: 1, index: 0 })).toThrow(OutOfRangeError);
    expect(() => deriveSeedKey(ROOT, { level: 2, index: 4 })).toThrow(OutOfRangeError);
    expect(() => deriveSeedKey(ROOT, { level: 21, index: 0 })).toThrow(OutOfRangeError);
  });

  test('make the working keys of a slot as the page says', () => {
    const leaf = Buffer.alloc(16, 0xaa);
    const epochKey = Buffer.alloc(16, 0xbb);
    for (const [epoch, key] of [
      [0, Buffer.alloc(16)],
      [258, epochKey],
    ] as const) {
      const named = Buffer.alloc(13);
      named[0] = 0x17;
      named.writeUInt32BE(7, 1);
      named.writeUInt32BE(0x54321, 5);
      named.writeUInt32BE(epoch, 9);
      const digest = createHash('sha256').update(named).update(leaf).update(key).digest();
      const pair = deriveSlotKeys(7, 0x54321, epoch, leaf, epochKey);
      expect(Buffer.concat([pair.encryption, pair.mac])).toEqual(digest);
    }
  });
});

describe('messages of a seed purchase', () => {
  const ceilings = { perMegabyte: 1n, perHour: 2n, flat: 3n, groupOctets: 4, groupDuration: 5, quantum: 6n };
  const purchase = { service: 7, keyId: 8, from: 1, to: 2, number: 100, ceilings };

  test('hold eight seeds a part, with numbers one after the other', () => {
    const labels = coverSlots(1, 2 ** 12 - 1);
    const parts = sealSeedPurchase({ ...purchase, labels }, ROOT, 9, ROOT).map(({ octets }) => parseKeyMessage(octets));
    expect(parts.map(({ number, flags, octets }) => [number, flags, octets.length])).toEqual([
      [100, 0x08, 240],
      [101, 0x09, 240],
      [102, 0x0a, 240],
    ]);
    expect(
      parts.map(
        ({ body }) =>
          Buffer.from(body)
            .subarray(0, 32)
            .filter((x, i) => i % 4 === 0 && x !== 0xff).length,
      ),
    ).toEqual([8, 8, 6]);
  });

  test('are refused for no seed and for more than 32', () => {
    expect(() => sealSeedPurchase({ ...purchase, labels: [] }, ROOT, 9, ROOT)).toThrow(OutOfRangeError);
    const labels = coverSlots(1, SLOTS - 1);
    expect(() => sealSeedPurchase({ ...purchase, labels }, ROOT, 9, ROOT)).toThrow(OutOfRangeError);
  });
});
