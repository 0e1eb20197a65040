import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { combine, separate } from '../../../apdu/decode-module/combined-section.ts';
import { contentCiphers, sealCardPart } from '../../../apdu/decode-module/card-part.ts';
import { encodeDetachedPart, parseDetachedPart } from '../../../apdu/decode-module/detached-part.ts';
import {
  keyBodyLength,
  type KeyMessage,
  parseKeyMessage,
  sealKeyMessage,
} from '../../../apdu/decode-module/key-message.ts';
import { type KeyKind, KIND, type ParentKind } from '../../../apdu/decode-module/kinds.ts';
import { concat } from '../../../apdu/octets.ts';
import { FormatError, OutOfRangeError } from '../../../apdu/errors.ts';

function message(kind: KeyKind, parentKind: ParentKind, parentId: number, keyId = 5): KeyMessage {
  const header = { kind, service: 7, keyId, from: 1, to: 2, number: 0, parentKind, parentId };
  const body = new Uint8Array(keyBodyLength(kind, parentKind)).fill(3);
  return sealKeyMessage(header, randomBytes(16), body, randomBytes(16));
}

const PAIRS = [
  [KIND.segment, KIND.service],
  [KIND.content, KIND.segment],
  [KIND.blind, KIND.slot],
  [KIND.node, KIND.node],
] as const;

test('a section gives back the messages that it was made of, octet by octet', () => {
  for (const [kind, parentKind] of PAIRS) {
    for (const count of [1, 2, 40]) {
      const messages = Array.from({ length: count }, (_, i) => message(kind, parentKind, i));
      const section = combine(messages);
      expect(section.length).toBe(32 + messages[0]!.body.length + 28 * count);
      const parts = separate(concat(section, new Uint8Array(7)));
      expect(parts).toEqual(messages.map(({ octets }) => new Uint8Array(octets)));
      for (const part of parts) parseKeyMessage(part);
    }
  }
});

test('what does not belong together is not combined', () => {
  const right = message(KIND.content, KIND.service, 1);
  for (const other of [message(KIND.content, KIND.service, 1, 6), message(KIND.blind, KIND.service, 1)]) {
    expect(() => combine([right, other])).toThrow(OutOfRangeError);
  }
  expect(() => combine([])).toThrow(OutOfRangeError);
  expect(() => combine([message(KIND.service, KIND.unique, 1)])).toThrow(OutOfRangeError);
  expect(() => combine(Array.from({ length: 60 }, (_, i) => message(KIND.node, KIND.node, i)))).toThrow(
    OutOfRangeError,
  );
});

test('any octets are a section or a FormatError', () => {
  const real = combine([message(KIND.node, KIND.node, 1), message(KIND.node, KIND.node, 2)]);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.tuple(fc.nat(real.length - 1), fc.nat(255)).map(([at, value]) => real.map((x, i) => (i === at ? value : x))),
        fc.nat(real.length).map((length) => real.subarray(0, length)),
      ),
      (octets) => {
        try {
          for (const part of separate(octets)) expect(part.length).toBeLessThan(255);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      },
    ),
  );
});

test('a detached card part comes off the key port as it was, and nothing else does', () => {
  const header = {
    mode: 'sealed',
    spanBlocks: 4,
    packets: 10,
    octets: 1000,
    duration: 40,
    mediaTime: 1,
    contentKeyId: 2,
    index: 3,
    ssrc: 4,
    group: 5,
  } as const;
  const ciphers = contentCiphers({ encryption: randomBytes(16), mac: randomBytes(16) });
  const part = sealCardPart({ ...header, detached: true }, new Uint8Array(64), ciphers);
  const octets = encodeDetachedPart(part);
  expect(parseDetachedPart(concat(octets, new Uint8Array(3)))).toEqual(part);
  expect(() => parseDetachedPart(octets.subarray(0, 30))).toThrow(FormatError);
  expect(() => parseDetachedPart(part)).toThrow(FormatError);
  const whole = encodeDetachedPart(sealCardPart(header, new Uint8Array(64), ciphers));
  expect(() => parseDetachedPart(whole)).toThrow(FormatError);
});
