import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { combine, separate } from '../../../../apdu/decode-module/keys/combined-section.ts';
import {
  keyBodyLength,
  type KeyMessage,
  parseKeyMessage,
  sealKeyMessage,
} from '../../../../apdu/decode-module/keys/key-message.ts';
import { KeyTree, parentNode } from '../../../../apdu/decode-module/keys/key-tree.ts';
import { EPHEMERAL_LENGTH } from '../../../../apdu/decode-module/keys/p256.ts';
import { isPairKind, type KeyKind, KIND, type ParentKind } from '../../../../apdu/decode-module/kinds.ts';
import { makeContentCiphers, sealCardPart } from '../../../../apdu/decode-module/packets/card-part.ts';
import { encodeDetachedPart, parseDetachedPart } from '../../../../apdu/decode-module/packets/detached-part.ts';
import { FormatError, OutOfRangeError } from '../../../../apdu/errors.ts';
import { concat, writeUint } from '../../../../apdu/octets.ts';

function message(
  kind: KeyKind,
  parentKind: ParentKind,
  parentId: number,
  keyId = kind === KIND.node ? parentNode(parentId) : 5,
  content = 3,
): KeyMessage {
  const header = { kind, service: 7, keyId, from: 1, to: 2, number: 0, parentKind, parentId };
  const body = new Uint8Array(keyBodyLength(kind, parentKind)).fill(content);
  const ephemeral = new Uint8Array(isPairKind(parentKind) ? EPHEMERAL_LENGTH : 0);
  return sealKeyMessage(header, randomBytes(16), body, {
    ephemeral,
    encryption: randomBytes(16),
    mac: randomBytes(16),
  });
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

test('messages that differ in more are not combined', () => {
  const right = message(KIND.content, KIND.service, 1);
  const others = [
    message(KIND.content, KIND.service, 1, 6),
    message(KIND.blind, KIND.service, 1),
    message(KIND.content, KIND.service, 1, 5, 4),
  ];
  for (const other of others) expect(() => combine([right, other])).toThrow(OutOfRangeError);
  expect(() => combine([])).toThrow(OutOfRangeError);
  expect(() => combine([message(KIND.service, KIND.unique, 1)])).toThrow(OutOfRangeError);
  expect(() => combine([message(KIND.content, KIND.servicePair, 1)])).toThrow(OutOfRangeError);
});

test('one section carries every node of an update, each above the node that wraps it', () => {
  const tree = new KeyTree(7, 5, 1, (octets) => new Uint8Array(randomBytes(octets)));
  const members = Array.from({ length: 40 }, () => tree.join());
  const update = tree.evict([members[17]!.leaf]);
  expect(new Set(update.map(({ keyId }) => keyId)).size).toBe(5);
  const section = combine(update);
  expect(section.length).toBe(32 + 28 * update.length);
  expect(separate(section)).toEqual(update.map(({ octets }) => new Uint8Array(octets)));
});

test('a node that is not above its parent is not combined, and a section of nodes names none', () => {
  expect(() => combine([message(KIND.node, KIND.node, 6, 1)])).toThrow(OutOfRangeError);
  const section = combine([message(KIND.node, KIND.node, 6)]);
  expect(section.subarray(12, 16)).toEqual(new Uint8Array(4));
  section[15] = 2;
  expect(() => separate(section)).toThrow(FormatError);
});

test('a section holds as many messages as 1,400 octets do', () => {
  const nodes = Array.from({ length: 49 }, (_, i) => message(KIND.node, KIND.node, i));
  expect(combine(nodes.slice(0, 48))).toHaveLength(1376);
  expect(() => combine(nodes)).toThrow(OutOfRangeError);
});

/** A section of so many octets, with the header of a node message unless changed. */
function sectionOf(length: number, change: (octets: Uint8Array) => void = () => undefined): Uint8Array {
  const section = new Uint8Array(length);
  section.set(combine([message(KIND.node, KIND.node, 1)]));
  writeUint(section, 2, 2, length);
  change(section);
  return section;
}

test('a section has whole entries, at least one, and 1,400 octets at most', () => {
  expect(separate(sectionOf(60))).toHaveLength(1);
  expect(separate(sectionOf(32 + 48 * 28))).toHaveLength(48);
  for (const length of [61, 32 + 49 * 28]) expect(() => separate(sectionOf(length))).toThrow(FormatError);
  for (const said of [32, 4, 0]) {
    expect(() => separate(sectionOf(60, (octets) => writeUint(octets, 2, 2, said)))).toThrow(FormatError);
  }
  const terms = combine([message(KIND.content, KIND.slot, 1)]);
  writeUint(terms, 2, 2, 80);
  expect(() => separate(terms)).toThrow(FormatError);
});

test('a section holds no seeds or private halves, and nothing under a unique key or a pair', () => {
  const refused = [
    [KIND.seeds, KIND.service],
    [KIND.servicePair, KIND.service],
    [KIND.service, KIND.unique],
    [KIND.content, KIND.servicePair],
    [KIND.content, KIND.content],
    [KIND.unique, KIND.service],
  ] as const;
  for (const [kind, parentKind] of refused) {
    // Whole entries after whichever body the kind has.
    for (const body of [0, 32, 48, 64]) {
      const section = sectionOf(32 + body + 28 * 8, (octets) => {
        octets[4] = kind;
        octets[28] = parentKind;
      });
      expect(() => separate(section), `${kind} under ${parentKind}`).toThrow(FormatError);
    }
  }
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

test('a detached card part is read as it was written, and nothing else is', () => {
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
  const ciphers = makeContentCiphers({ encryption: randomBytes(16), mac: randomBytes(16) });
  const part = sealCardPart({ ...header, detached: true }, new Uint8Array(64), ciphers);
  const octets = encodeDetachedPart(part);
  expect(parseDetachedPart(concat(octets, new Uint8Array(3)))).toEqual(part);
  expect(() => parseDetachedPart(octets.subarray(0, 30))).toThrow(FormatError);
  const promised = octets.slice();
  writeUint(promised, 2, 2, octets.length + 1);
  expect(() => parseDetachedPart(promised)).toThrow(FormatError);
  expect(() => parseDetachedPart(part)).toThrow(FormatError);
  const whole = encodeDetachedPart(sealCardPart(header, new Uint8Array(64), ciphers));
  expect(() => parseDetachedPart(whole)).toThrow(FormatError);
});
