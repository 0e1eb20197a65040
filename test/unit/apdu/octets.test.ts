import { expect, test } from 'vitest';
import { InputError } from '../../../apdu/errors.ts';
import { equalTags, fromHex, readUint, toHex, writeUint } from '../../../apdu/octets.ts';

test('tags are equal in every octet and in length, or not at all', () => {
  const tag = Uint8Array.of(1, 2, 0);
  expect(equalTags(tag, Uint8Array.of(1, 2, 0))).toBe(true);
  for (const at of [0, 1, 2]) {
    const other = tag.map((octet, i) => (i === at ? octet ^ 0x80 : octet));
    expect(equalTags(tag, other), `octet ${at}`).toBe(false);
  }
  // What is missing does not count as 0, and the beginning of a tag is none.
  expect(equalTags(tag, tag.subarray(0, 2))).toBe(false);
  expect(equalTags(tag.subarray(0, 2), tag)).toBe(false);
  expect(equalTags(tag, new Uint8Array(0))).toBe(false);
});

test('hexadecimal is read as it was written; half octets and other letters are refused', () => {
  expect(fromHex('00 a4:04FF')).toEqual(Uint8Array.of(0x00, 0xa4, 0x04, 0xff));
  expect(toHex(fromHex('00 a4:04FF'))).toBe('00a404ff');
  for (const text of ['abc', '0', '0g', '0x10', '-1']) expect(() => fromHex(text), text).toThrow(InputError);
});

test('48 bits are written and read exactly', () => {
  const octets = new Uint8Array(8).fill(0xee);
  writeUint(octets, 1, 6, 0x0102_0304_0506);
  expect(toHex(octets)).toBe('ee010203040506ee');
  expect(readUint(octets, 1, 6)).toBe(0x0102_0304_0506);
  writeUint(octets, 1, 6, 2 ** 48 - 1);
  expect(readUint(octets, 1, 6)).toBe(2 ** 48 - 1);
});
