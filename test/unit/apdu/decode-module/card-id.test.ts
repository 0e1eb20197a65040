import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type CardId,
  decodeCardId,
  encodeCardId,
  formatCardId,
  parseCardId,
} from '../../../../apdu/decode-module/card-id.ts';
import { FormatError, InputError, OutOfRangeError } from '../../../../apdu/errors.ts';
import { fromHex, toHex } from '../../../../apdu/octets.ts';

const cardId = fc.record<CardId>({
  issuer: fc.nat(0xff_ffff),
  moduleClass: fc.constantFrom('card', 'soft'),
  serial: fc.integer({ min: 0, max: 0xffff_ffff }),
});

test('a card id has 3 octets for the issuer, 1 for the class and 4 for the serial', () => {
  expect(toHex(encodeCardId({ issuer: 0x0a1b2c, moduleClass: 'soft', serial: 7 }))).toBe('0a1b2c0200000007');
  expect(formatCardId(fromHex('0a1b2c0200000007'))).toBe('0a1b2c-02-00000007');
});

test('a card id is decoded as it was encoded, and read as it was written', () => {
  fc.assert(
    fc.property(cardId, (id) => {
      const octets = encodeCardId(id);
      expect(decodeCardId(octets)).toEqual(id);
      expect(parseCardId(formatCardId(octets))).toEqual(octets);
      expect(parseCardId(toHex(octets).toUpperCase())).toEqual(octets);
    }),
  );
});

test('any octets are decoded or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (octets) => {
      try {
        expect(encodeCardId(decodeCardId(octets))).toEqual(octets);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }),
  );
});

test.each(['', '0a1b2c', '0a1b2c-0100000007', '0a1b2c-03-00000007', '0a1b2c-01-0000000g', '0a1b2c0100000007 '])(
  '"%s" is not a card id',
  (text) => {
    expect(() => parseCardId(text)).toThrow(InputError);
  },
);

test.each([
  { issuer: 0x100_0000, serial: 1 },
  { issuer: -1, serial: 1 },
  { issuer: 1, serial: 0x1_0000_0000 },
  { issuer: 1, serial: 1.5 },
])('issuer $issuer, serial $serial do not fit', ({ issuer, serial }) => {
  expect(() => encodeCardId({ issuer, moduleClass: 'card', serial })).toThrow(OutOfRangeError);
});
