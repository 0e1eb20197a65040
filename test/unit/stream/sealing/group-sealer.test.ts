import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { makeContentCiphers } from '../../../../apdu/decode-module/packets/card-part.ts';
import { deriveWorkingKeys } from '../../../../apdu/decode-module/working-keys.ts';
import { OutOfRangeError } from '../../../../apdu/errors.ts';
import { nobleAead } from '../../../../host/stream/packet/packet-aead.ts';
import {
  GroupSealer,
  type MediaPayload,
  type SealedGroup,
  type SealerOptions,
  type SealingKey,
} from '../../../../host/stream/sealing/group-sealer.ts';
import { nodeAead } from '../../../../host/transport/crypto/node-aead.ts';
import { type ContentKeys, openByHand } from '../../../support/cards/open-by-hand.ts';

interface TestKey extends SealingKey {
  readonly hand: ContentKeys;
}

function contentKey(id: number): TestKey {
  const pair = deriveWorkingKeys(KIND.content, 7, id, randomBytes(16));
  const masterSalt = randomBytes(12);
  return { id, ciphers: makeContentCiphers(pair), masterSalt, hand: { ...pair, masterSalt } };
}

const KEYS = [contentKey(1000), contentKey(1001)] as const;

const SEALER: SealerOptions = {
  ssrc: 0x12345678,
  mode: 'sealed',
  span: 64,
  every: 100,
  closingTime: 250,
  payloadType: 33,
  firstSequence: 5,
  random: (length) => randomBytes(length),
  aead: nodeAead,
};

function payload(octets: Uint8Array, duration = 0, at = 0): MediaPayload {
  return { octets, duration, at, timestamp: Math.round(at * 90) };
}

function sealAll(sealer: GroupSealer, payloads: readonly MediaPayload[], key: SealingKey = KEYS[0]): SealedGroup[] {
  const groups = payloads.flatMap((next, i) => sealer.push(next, key, 1_800_000_000 + i));
  const last = sealer.close();
  return last === undefined ? groups : [...groups, last];
}

const packetsOf = (group: SealedGroup) => group.packets.map((packet) => packet.octets);

describe('every payload comes back, and every group is what its header says', () => {
  const pushes = fc.array(
    fc.record({
      octets: fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 250 }),
        fc.integer({ min: 0, max: 255 }).map((fill) => new Uint8Array(1316).fill(fill)),
      ),
      duration: fc.integer({ min: 0, max: 300 }),
      key: fc.integer({ min: 0, max: 9 }).map((n) => KEYS[n === 0 ? 1 : 0]),
    }),
    { maxLength: 40 },
  );
  const options = fc.record({
    mode: fc.constantFrom('sealed' as const, 'open' as const),
    span: fc.integer({ min: 1, max: 13 }).map((blocks) => 16 * blocks),
    every: fc.integer({ min: 1, max: 12 }),
    // So that the roll-over counter moves.
    firstSequence: fc.integer({ min: 0xffe0, max: 0xffff }),
    aead: fc.constantFrom(nobleAead, nodeAead),
  });

  test('of any source under any profile', () => {
    fc.assert(
      fc.property(options, pushes, (profile, given) => {
        const sealer = new GroupSealer({ ...SEALER, ...profile });
        const groups = given.flatMap(({ octets, duration, key }, i) =>
          sealer.push(payload(octets, duration, i), key, 1_800_000_000 + i),
        );
        const last = sealer.close();
        if (last !== undefined) groups.push(last);
        let next = 0;
        for (const [i, group] of groups.entries()) {
          const members = given.slice(next, next + group.packets.length);
          const { key } = members[0]!;
          const opened = openByHand(packetsOf(group), key.hand);
          expect(opened.payloads.map((octets) => Uint8Array.from(octets))).toEqual(members.map(({ octets }) => octets));
          expect(opened).toMatchObject({
            kind: profile.mode === 'sealed' ? 0x20 : 0x21,
            packets: members.length,
            octets: members.reduce((sum, { octets }) => sum + octets.length, 0),
            duration: members.reduce((sum, { duration }) => sum + duration, 0),
            mediaTime: 1_800_000_000 + next,
            contentKeyId: key.id,
            index: profile.firstSequence + next,
            ssrc: SEALER.ssrc,
            group: i + 1,
          });
          expect(group.header).toMatchObject({ octets: opened.octets, duration: opened.duration, group: i + 1 });
          expect(group.packets.map(({ at }) => at)).toEqual(members.map((_member, member) => next + member));
          expect(members.every((member) => member.key === key)).toBe(true);
          expect(members.length).toBeLessThanOrEqual(profile.every);
          if (members.length > 1) {
            expect(opened.duration).toBeLessThanOrEqual(SEALER.closingTime);
            expect(members[0]!.octets.length).toBeGreaterThanOrEqual(profile.span - 16);
          }
          for (const packet of group.packets) expect(packet.octets.length).toBeLessThanOrEqual(1400);
          next += members.length;
        }
        expect(next).toBe(given.length);
      }),
      { numRuns: 300 },
    );
  });

  test('of full packets with span 208 the longest has 1,396 octets', () => {
    const groups = sealAll(
      new GroupSealer({ ...SEALER, span: 208, every: 2 }),
      [1, 2].map((fill) => payload(new Uint8Array(1316).fill(fill))),
    );
    expect(groups.flatMap(packetsOf).map((packet) => packet.length)).toEqual([1396, 12 + 1316 + 16 + 4]);
  });
});

test('memory that is used again holds the same packets, until the next payload is given', () => {
  const random = (length: number) => new Uint8Array(length).fill(7);
  const fresh = new GroupSealer({ ...SEALER, every: 3, random });
  const reusing = new GroupSealer({ ...SEALER, every: 3, random, reusesMemory: true });
  for (let i = 0; i < 200; i++) {
    // Some groups are closed by a change of key together with the short one after them.
    const octets = randomBytes(i % 11 === 0 ? 5 : 1 + ((i * 331) % 1316));
    const key = KEYS[i % 13 === 0 ? 1 : 0];
    const expected = fresh.push(payload(octets), key, i);
    const given = reusing.push(payload(octets), key, i);
    expect(given.flatMap(packetsOf)).toEqual(expected.flatMap(packetsOf));
  }
});

describe('a group closes', () => {
  const full = (duration: number) => payload(new Uint8Array(1316), duration);

  test('at n packets', () => {
    const groups = sealAll(
      new GroupSealer({ ...SEALER, every: 10 }),
      Array.from({ length: 25 }, () => full(0)),
    );
    expect(groups.map(({ header }) => header.packets)).toEqual([10, 10, 5]);
  });

  test('as soon as the nth packet is there', () => {
    const sealer = new GroupSealer({ ...SEALER, every: 2 });
    expect(sealer.push(full(1), KEYS[0], 1)).toEqual([]);
    expect(sealer.push(full(1), KEYS[0], 1)).toHaveLength(1);
    expect(sealer.close()).toBeUndefined();
  });

  test('before it lasts longer than the closing time', () => {
    const groups = sealAll(new GroupSealer(SEALER), [full(100), full(100), full(50), full(1), full(900), full(250)]);
    expect(groups.map(({ header }) => header.duration)).toEqual([250, 1, 900, 250]);
  });

  test('at a change of key', () => {
    const sealer = new GroupSealer(SEALER);
    sealer.push(full(1), KEYS[0], 1);
    const [group, ...none] = sealer.push(full(1), KEYS[1], 1);
    expect(none).toEqual([]);
    expect(group?.header).toMatchObject({ packets: 1, contentKeyId: KEYS[0].id });
    expect(sealer.close()?.header).toMatchObject({ packets: 1, contentKeyId: KEYS[1].id });
  });

  test('at once when its first payload is shorter than the span, which is filled up with zeros', () => {
    const short = payload(Uint8Array.of(1, 2, 3));
    const sealer = new GroupSealer({ ...SEALER, mode: 'open' });
    sealer.push(full(1), KEYS[0], 1);
    expect(sealer.push(short, KEYS[0], 1)).toEqual([]);
    sealer.close();
    const [group] = sealer.push(short, KEYS[0], 1);
    const opened = openByHand(packetsOf(group!), KEYS[0].hand);
    expect(opened.spanContent).toEqual(Buffer.concat([Uint8Array.of(1, 2, 3), Buffer.alloc(45)]));
    expect(opened).toMatchObject({ packets: 1, octets: 3 });
  });
});

describe('mode sealed', () => {
  test('leaves no eight octets of the source in the clear', () => {
    const source = new Uint8Array(1316).map((_octet, i) => (i * 7) ^ (i >> 3));
    const groups = sealAll(
      new GroupSealer({ ...SEALER, every: 5 }),
      Array.from({ length: 10 }, () => payload(source)),
    );
    for (const packet of groups.flatMap(packetsOf)) {
      for (let at = 0; at + 8 <= source.length; at++) {
        expect(Buffer.from(packet).includes(Buffer.from(source.subarray(at, at + 8)))).toBe(false);
      }
    }
  });

  test('has a new group key for every group', () => {
    const asked: number[] = [];
    const random = (length: number) => {
      asked.push(length);
      return randomBytes(length);
    };
    const payloads = [1, 2, 3].map(() => payload(new Uint8Array(1316)));
    sealAll(new GroupSealer({ ...SEALER, every: 1, random }), payloads);
    expect(asked).toEqual([16, 16, 16]);
  });
});

test('mode open leaves all but the span as it was', () => {
  const source = randomBytes(1316);
  const [group] = sealAll(new GroupSealer({ ...SEALER, mode: 'open', every: 2 }), [payload(source), payload(source)]);
  const [card, gap] = packetsOf(group!);
  expect(Buffer.from(card!.subarray(12 + 24 + 64 + 8, -4))).toEqual(source.subarray(48));
  expect(Buffer.from(gap!.subarray(12, -4))).toEqual(source);
});

test('a strict packet carries one TS packet, all of it in the span', () => {
  const packet = randomBytes(188);
  const [group] = sealAll(new GroupSealer({ ...SEALER, mode: 'open', every: 1, span: 208 }), [payload(packet)]);
  expect(group!.packets[0]!.octets).toHaveLength(12 + 24 + 208 + 8 + 4);
  expect(openByHand(packetsOf(group!), KEYS[0].hand).payloads).toEqual([packet]);
});

describe('refuses', () => {
  test.each([
    ['a span of 0', { span: 0 }],
    ['a span of 24', { span: 24 }],
    ['a span of 224', { span: 224 }],
    ['n = 0', { every: 0 }],
    ['n = 2,001', { every: 2001 }],
    ['n = 1.5', { every: 1.5 }],
    ['an odd SSRC', { ssrc: 3 }],
  ])('%s', (_name, wrong) => expect(() => new GroupSealer({ ...SEALER, ...wrong })).toThrow(OutOfRangeError));

  test.each([0, 1317])('a payload of %d octets', (length) => {
    const sealer = new GroupSealer(SEALER);
    expect(() => sealer.push(payload(new Uint8Array(length)), KEYS[0], 1)).toThrow(OutOfRangeError);
  });
});
