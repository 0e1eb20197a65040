import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  countPieces,
  encodeFileDescription,
  parseFileDescription,
} from '../../../../host/stream/file/file-description.ts';

const FILE = { name: 'Über den Wolken.mkv', length: 12_000_001, digest: new Uint8Array(32).fill(9), pieceLength: 1316 };

test('a description is read as it was written', () => {
  expect(parseFileDescription(encodeFileDescription(FILE))).toEqual(FILE);
  expect(countPieces(FILE)).toBe(9119);
});

test.each([
  '../passwd',
  '/etc/passwd',
  '.profile',
  '-rf',
  'a\nb',
  'a\u202eb',
  'C:x',
  'a\u0000',
  'con ',
  '',
  'x'.repeat(256),
])('a name that leads elsewhere or hides something is neither sent nor taken: %j', (name) => {
  expect(() => encodeFileDescription({ ...FILE, name })).toThrow(/give the file another name/);
  const octets = new Uint8Array([
    ...encodeFileDescription({ ...FILE, name: 'x' }).subarray(0, 42),
    ...Buffer.from(name),
  ]);
  expect(parseFileDescription(octets)).toBeUndefined();
});

test('whatever comes is a description that can be right, or none', () => {
  const right = encodeFileDescription(FILE);
  expect(parseFileDescription(right.subarray(0, 42))).toBeUndefined();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(right.length), (octets, at) => {
      const mixed = new Uint8Array([...right.subarray(0, at), ...octets]);
      const file = parseFileDescription(mixed);
      if (file !== undefined) expect(encodeFileDescription(file)).toEqual(mixed);
    }),
  );
});

test('a file that is empty, or of more pieces than a receiver keeps account of, is not sent', () => {
  expect(() => encodeFileDescription({ ...FILE, length: 0 })).toThrow(/neither empty nor so large/);
  expect(() => encodeFileDescription({ ...FILE, length: 2 ** 28 * 1316 + 1 })).toThrow(/nor so large/);
});
