import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError, OutOfRangeError } from '../../../../apdu/errors.ts';
import { encodeTlv, findTlv, parseTlv, tryParseTlv, type Tlv } from '../../../../apdu/iso7816/ber-tlv.ts';
import { concat, fromHex, toHex } from '../../../../apdu/octets.ts';

const value = fc.uint8Array({ maxLength: 300 });
const { tree } = fc.letrec<{ tree: Tlv }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    fc.record({ tag: fc.constantFrom(0x4f, 0x5f2d, 0x84, 0x9f65, 0xdf8101), value }),
    fc
      .record({
        tag: fc.constantFrom(0x61, 0x6f, 0x7f49, 0xa5, 0xbf0c),
        children: fc.array(tie('tree'), { maxLength: 3 }),
      })
      .map(({ tag, children }) => ({ tag, value: concat(...children.map(encodeTlv)), children })),
  ),
}));

describe('BER-TLV', () => {
  test('the FCI of a SELECT is read', () => {
    const row = parseTlv(fromHex('6f12 8407a0000000031010 a507 5f2d02656e 8700'));
    const fci = findTlv(row, 0x6f);
    expect(toHex(findTlv(fci?.children ?? [], 0x84)?.value ?? fromHex('00'))).toBe('a0000000031010');
    const proprietary = findTlv(fci?.children ?? [], 0xa5)?.children ?? [];
    expect(proprietary.map((object) => [object.tag, toHex(object.value)])).toEqual([
      [0x5f2d, '656e'],
      [0x87, ''],
    ]);
  });

  test('what was written is read back', () => {
    fc.assert(
      fc.property(fc.array(tree, { maxLength: 4 }), (row) => {
        expect(parseTlv(concat(...row.map(encodeTlv)))).toEqual(row);
      }),
    );
  });

  test('random octets are BER-TLV or a FormatError', () => {
    const octets = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(fc.constantFrom(0x6f, 0x84, 0x9f, 0x81, 0x82, 0x00, 0x01, 0x02, 0x1f, 0x80), { maxLength: 40 }),
    );
    fc.assert(
      fc.property(octets, (any) => {
        try {
          parseTlv(Uint8Array.from(any));
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([127, 128, 255, 256, 65_535, 65_536])('a value of %i octets', (length) => {
    const octets = encodeTlv({ tag: 0x53, value: new Uint8Array(length) });
    expect(parseTlv(octets, { maxOctets: 100_000 })[0]?.value.length).toBe(length);
  });

  test.each([
    ['00', 'padding'],
    ['ff00', 'padding'],
    ['5f', 'tag cut'],
    ['9f81', 'tag cut'],
    ['9f818100', 'tag of 4 octets'],
    ['5f0000', 'tag without a number'],
    ['5f800100', 'tag without a number'],
    ['84', 'no length'],
    ['8480', 'indefinite length'],
    ['84850000000001', 'length of 5 octets'],
    ['848201', 'length cut'],
    ['840200', 'value cut'],
    ['6f038402aa', 'child beyond its parent'],
    ['8484ffffffff', 'a length of 4 GB'],
  ])('%s is refused: %s', (hex) => {
    expect(() => parseTlv(fromHex(hex))).toThrow(FormatError);
    expect(tryParseTlv(fromHex(hex))).toBeUndefined();
  });

  test('depth, number of objects and size are bounded', () => {
    let nested = fromHex('8400');
    for (let i = 0; i < 20; i++) nested = encodeTlv({ tag: 0x6f, value: nested });
    expect(() => parseTlv(nested)).toThrow('deeper than 16');
    expect(parseTlv(nested, { maxDepth: 21 })).toHaveLength(1);
    expect(() => parseTlv(new Uint8Array(4_000).map((_, i) => (i % 2 === 0 ? 0x84 : 0)))).toThrow('1024 objects');
    expect(() => parseTlv(new Uint8Array(70_000))).toThrow('at most 65536');
  });

  test.each([0, 0x1f, 0x5f00, 0x9f81, 0x12345678, 1.5, -4])('%d is not a tag', (tag) => {
    expect(() => encodeTlv({ tag, value: new Uint8Array() })).toThrow(OutOfRangeError);
  });
});
