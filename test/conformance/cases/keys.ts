import { expect } from 'vitest';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { parseKeyList } from '../../../apdu/decode-module/key-list.ts';
import { type KeyKind, KIND, type ParentKind } from '../../../apdu/decode-module/kinds.ts';
import { concat, writeUint } from '../../../apdu/octets.ts';
import {
  anyMessage,
  CARD_KEYS,
  cardPart,
  CEILINGS,
  CONTENT_KEY_ID,
  contentBody,
  contentMessage,
  END,
  fixedKey,
  keyOf,
  KEYS,
  type KeyOptions,
  PROFILE,
  resealed,
  SEGMENT_KEY_ID,
  segmentMessage,
  SERIAL,
  SERVICE,
  SERVICE_KEY_ID,
  serviceMessage,
  START,
} from '../messages.ts';
import { encodeCeilings } from '../../../apdu/decode-module/ceilings.ts';
import type { Case, Tester } from '../tester.ts';

const DOWNLINK = CARD_KEYS.downlink;
const SERVICE_KEY = keyOf(KIND.service, SERVICE, SERVICE_KEY_ID);
const SEGMENT_KEY = keyOf(KIND.segment, SERVICE, SEGMENT_KEY_ID);

/** Kind and id of every key on the card. */
async function keysOn(tester: Tester): Promise<string[]> {
  const list = parseKeyList(await tester.send(INS.LIST_KEYS));
  return list.map(({ kind, service, id }) => `${kind.toString(16)} ${service}/${id}`);
}

/** One seed, that of slot 7. */
function seedBody(): Uint8Array {
  const labels = new Uint8Array(32);
  for (let at = 0; at < labels.length; at += 4) labels[at] = 0xff;
  labels.set([20, 0, 0, 7]);
  return concat(labels, encodeCeilings(CEILINGS));
}

const BODIES: Record<KeyKind, Uint8Array> = {
  [KIND.service]: encodeCeilings(CEILINGS),
  [KIND.segment]: new Uint8Array(0),
  [KIND.content]: contentBody(),
  [KIND.blind]: contentBody({ kind: 'free' }),
  [KIND.seeds]: seedBody(),
  [KIND.node]: new Uint8Array(0),
  [KIND.servicePair]: encodeCeilings(CEILINGS),
};

/** Parents on the card in `playing`, and what they may carry. */
const PARENTS: ReadonlyArray<
  readonly [kind: ParentKind | typeof KIND.content, id: number, carries: readonly KeyKind[]]
> = [
  [KIND.unique, SERIAL, [KIND.service, KIND.segment, KIND.seeds, KIND.node, KIND.servicePair]],
  [KIND.service, SERVICE_KEY_ID, [KIND.segment, KIND.content, KIND.blind]],
  [KIND.segment, SEGMENT_KEY_ID, [KIND.content, KIND.blind]],
  [KIND.content, CONTENT_KEY_ID, []],
];
const KINDS = [KIND.service, KIND.segment, KIND.content, KIND.blind, KIND.seeds, KIND.node, KIND.servicePair] as const;

/** Every octet of a message changed, one after the other. */
function flips(message: Uint8Array): Uint8Array[] {
  return Array.from(message, (_, at) => message.map((octet, index) => (index === at ? octet ^ 0x01 : octet)));
}

export const keyCases: readonly Case[] = [
  {
    name: 'each pair of parent and child: right ones load, wrong ones 940D',
    from: 'playing',
    async run(tester) {
      let number = 900;
      for (const [parentKind, parentId, carries] of PARENTS) {
        for (const kind of KINDS) {
          number++;
          const options: KeyOptions = { parentKind, parentId, keyId: number };
          if (parentKind === KIND.unique) options.number = number;
          if (kind === KIND.seeds) options.key = new Uint8Array(128);
          if (kind === KIND.servicePair) options.key = new Uint8Array(32).fill(number);
          const bought = kind === KIND.segment && parentKind === KIND.unique;
          const message = anyMessage(kind, bought ? BODIES[KIND.service] : BODIES[kind], options);
          const bad = message.slice();
          bad[bad.length - 1]! ^= 1;
          await tester.loadKey(bad, 0x6988);
          const right = carries.includes(kind);
          await tester.loadKey(message, right ? 0x9000 : 0x940d);
          if (right) await tester.deleteKey(kind, SERVICE, number);
        }
      }
    },
  },
  {
    name: 'a wrong pair is told before wrong fields, a wrong tag before both',
    from: 'playing',
    async run(tester) {
      const options: KeyOptions = { parentKind: KIND.segment, parentId: SEGMENT_KEY_ID, keyId: 1 };
      const message = resealed(anyMessage(KIND.segment, new Uint8Array(0), options), SEGMENT_KEY, (octets) => {
        octets[25] = 1;
      });
      await tester.loadKey(message, 0x940d);
      message[55]! ^= 1;
      await tester.loadKey(message, 0x6988);
    },
  },
  {
    name: 'a parent that is not here: 6A88, whatever else is wrong',
    from: 'active',
    async run(tester) {
      await tester.loadKey(segmentMessage(), 0x6a88);
      await tester.loadKey(contentMessage(), 0x6a88);
      await tester.loadKey(contentMessage({}, { parentKind: KIND.service, parentId: SERVICE_KEY_ID }), 0x6a88);
      await tester.loadKey(serviceMessage(1, {}, { parentId: SERIAL + 1 }), 0x6a88);
      await tester.loadKey(new Uint8Array(56), 0x6a88);
      await tester.loadKey(serviceMessage(1));
      await tester.loadKey(segmentMessage({ service: SERVICE + 1 }), 0x6a88);
      await tester.loadKey(segmentMessage({ parentId: SERVICE_KEY_ID + 1 }), 0x6a88);
      for (const kind of [0x00, 0x02, 0x13, 0x14, 0x15, 0x16, 0x18, 0x20, 0xff]) {
        const message = segmentMessage();
        message[24] = kind;
        await tester.loadKey(message, 0x6a88);
      }
    },
  },
  {
    name: 'shorter than 56 octets: 6988, before the parent is looked for',
    from: 'active',
    async run(tester) {
      for (const length of [0, 1, 31, 32, 48, 55]) await tester.loadKey(segmentMessage().subarray(0, length), 0x6988);
    },
  },
  {
    name: 'every octet of a service message is under its tag',
    from: 'active',
    async run(tester) {
      const message = serviceMessage(1);
      for (const [at, flipped] of flips(message).entries()) {
        // Parent kind and parent id name another parent.
        await tester.loadKey(flipped, at === 24 || (at >= 28 && at < 32) ? 0x6a88 : 0x6988);
      }
      await tester.loadKey(message);
    },
  },
  {
    name: 'every octet of a segment and a content message is under its tag',
    from: 'playing',
    async run(tester) {
      for (const message of [segmentMessage({ keyId: 150 }), contentMessage({}, { keyId: 5001 })]) {
        for (const [at, flipped] of flips(message).entries()) {
          const names = at === 24 || (at >= 28 && at < 32) || (at >= 4 && at < 8);
          await tester.loadKey(flipped, names ? 0x6a88 : 0x6988);
        }
        await tester.loadKey(message);
      }
    },
  },
  {
    name: 'another version, kind or length under a right tag: 6988',
    from: 'playing',
    async run(tester) {
      const wrong: ReadonlyArray<(octets: Uint8Array) => void> = [
        (octets) => (octets[1] = 0),
        (octets) => (octets[1] = 2),
        (octets) => (octets[3]! += 1),
        (octets) => (octets[2] = 1),
        (octets) => (octets[0] = 0x10),
        (octets) => (octets[0] = 0x12),
        (octets) => (octets[0] = 0x13),
        (octets) => (octets[0] = 0x14),
        (octets) => (octets[0] = 0x16),
        (octets) => (octets[0] = 0x17),
        (octets) => (octets[0] = 0x01),
        (octets) => (octets[0] = 0x60),
      ];
      for (const change of wrong) await tester.loadKey(resealed(segmentMessage(), SERVICE_KEY, change), 0x6988);
      const longer = new Uint8Array(72);
      longer.set(segmentMessage());
      await tester.loadKey(longer, 0x6988);
      await tester.loadKey(
        resealed(longer, SERVICE_KEY, (octets) => writeUint(octets, 2, 2, 72)),
        0x6988,
      );
      await tester.loadKey(contentMessage().subarray(0, 56), 0x6988);
      await tester.loadKey(contentMessage().subarray(0, 103), 0x6988);
    },
  },
  {
    name: 'reserved octets, service 0, an empty validity or a number: 6A80',
    from: 'playing',
    async run(tester) {
      for (const at of [25, 26, 27]) {
        await tester.loadKey(
          resealed(segmentMessage(), SERVICE_KEY, (octets) => (octets[at] = 0x80)),
          0x6a80,
        );
      }
      await tester.loadKey(serviceMessage(2, {}, { service: 0 }), 0x6a80);
      const validity = (from: number, to: number): Uint8Array =>
        resealed(segmentMessage(), SERVICE_KEY, (octets) => {
          writeUint(octets, 12, 4, from);
          writeUint(octets, 16, 4, to);
        });
      await tester.loadKey(validity(START, START), 0x6a80);
      await tester.loadKey(validity(START + 1, START), 0x6a80);
      await tester.loadKey(validity(0xffffffff, 0), 0x6a80);
      await tester.loadKey(segmentMessage({ number: 1 }), 0x6a80);
      await tester.loadKey(contentMessage({}, { number: 0x80000000 }), 0x6a80);
    },
  },
  {
    name: 'ceilings outside the table: 6A80; the number is not used up',
    from: 'active',
    async run(tester) {
      const body = (change: (octets: Uint8Array) => void): Uint8Array => resealed(serviceMessage(1), DOWNLINK, change);
      await tester.loadKey(
        body((octets) => writeUint(octets, 48 + 18, 6, 0)),
        0x6a80,
      );
      await tester.loadKey(
        body((octets) => writeUint(octets, 48 + 18, 6, 2 ** 39)),
        0x6a80,
      );
      for (let at = 24; at < 32; at++)
        await tester.loadKey(
          body((octets) => (octets[48 + at] = 1)),
          0x6a80,
        );
      await tester.loadKey(body((octets) => writeUint(octets, 48 + 18, 6, 2 ** 39 - 1)));
    },
  },
  {
    name: 'content values outside the table: 6A80',
    from: 'playing',
    async run(tester) {
      const body = (change: (octets: Uint8Array) => void): Uint8Array =>
        resealed(contentMessage({}, { keyId: 5001 }), SEGMENT_KEY, change);
      for (const tariff of [4, 0x80, 0xff])
        await tester.loadKey(
          body((octets) => (octets[48] = tariff)),
          0x6a80,
        );
      for (const classes of [4, 0x83])
        await tester.loadKey(
          body((octets) => (octets[50] = classes)),
          0x6a80,
        );
      for (const suite of [0, 2])
        await tester.loadKey(
          body((octets) => (octets[51] = suite)),
          0x6a80,
        );
      await tester.loadKey(
        body((octets) => (octets[48] = 0)),
        0x6a80,
      );
      for (const at of [12, 15, 36, 47])
        await tester.loadKey(
          body((octets) => (octets[48 + at] = 1)),
          0x6a80,
        );
      await tester.loadKey(body((octets) => writeUint(octets, 48 + 4, 4, 0)));
    },
  },
  {
    name: 'a class that the content does not accept: 940A, before its price',
    from: 'playing',
    async run(tester) {
      const dear = { price: CEILINGS.perMegabyte + 1n };
      await tester.loadKey(contentMessage({ card: false }, { keyId: 5001 }), 0x940a);
      await tester.loadKey(contentMessage({ card: false, ...dear }, { keyId: 5001 }), 0x940a);
      await tester.loadKey(contentMessage({ card: false, soft: false }, { keyId: 5001 }), 0x940a);
      await tester.loadKey(contentMessage(dear, { keyId: 5001 }), 0x9402);
      await tester.loadKey(contentMessage({ soft: false }, { keyId: 5001 }));
    },
  },
  {
    name: 'a card whose id says soft takes what soft modules may have',
    from: 'blank',
    async run(tester) {
      const profile = PROFILE.slice();
      profile[3] = 2;
      await tester.storeData(0x0001, profile, false);
      await tester.activate(0x8001, KEYS);
      await tester.loadKey(serviceMessage(1));
      await tester.loadKey(segmentMessage());
      await tester.loadKey(contentMessage({ soft: false }), 0x940a);
      await tester.loadKey(contentMessage({ card: false }));
    },
  },
  {
    name: 'a price above the ceiling of its tariff: 9402',
    from: 'playing',
    async run(tester) {
      const ceilings = [
        ['octets', CEILINGS.perMegabyte],
        ['duration', CEILINGS.perHour],
        ['flat', CEILINGS.flat],
      ] as const;
      for (const [kind, price] of ceilings) {
        await tester.loadKey(contentMessage({ kind, price: price + 1n }), 0x9402);
        await tester.loadKey(contentMessage({ kind, price: 0xffffffffn }), 0x9402);
        await tester.loadKey(contentMessage({ kind, price }));
        await tester.loadKey(
          contentMessage({ kind, price: price + 1n }, { parentKind: KIND.service, parentId: SERVICE_KEY_ID }),
          0x9402,
        );
      }
    },
  },
  {
    name: 'numbers under the unique key: each once, none from below the window',
    from: 'active',
    async run(tester) {
      const load = (number: number, status: number, id = number): Promise<Uint8Array> =>
        tester.loadKey(serviceMessage(number, {}, { keyId: id }), status);
      await load(0, 0x9000);
      await load(0, 0x940b, 1);
      await load(1000, 0x9000);
      await load(1000, 0x940b, 1);
      await load(999, 0x9000);
      await load(999, 0x940b, 1);
      await load(969, 0x9000);
      await load(968, 0x940b);
      await load(0, 0x9000);
      await load(1001, 0x9000);
      await load(969, 0x9000);
      await load(969, 0x940b, 1);
      await load(970, 0x9000);
      await load(0xffffffff, 0x9000);
      await load(1001, 0x9000);
      await load(1002, 0x940b);
      await load(0xfffffffe, 0x9000);
      expect(await keysOn(tester)).toHaveLength(8);
    },
  },
  {
    name: 'the window moves on by whole widths and keeps nothing of what it leaves',
    from: 'active',
    async run(tester) {
      const load = (number: number, status: number): Promise<Uint8Array> =>
        tester.loadKey(serviceMessage(number, {}, { keyId: 1 }), status);
      await load(999, 0x9000);
      await load(1000, 0x9000);
      await load(1032, 0x9000);
      await load(1031, 0x9000);
      await load(1001, 0x9000);
      await load(1000, 0x940b);
      await load(1095, 0x9000);
      await load(1094, 0x9000);
      await load(1064, 0x9000);
      await load(1063, 0x940b);
    },
  },
  {
    name: 'the very message again: the same confirm and nothing changes; another of its number: 940B',
    from: 'playing',
    async run(tester) {
      const before = await keysOn(tester);
      const confirm = await tester.loadKey(serviceMessage(1));
      expect(await tester.loadKey(serviceMessage(1))).toEqual(confirm);
      expect(await keysOn(tester)).toEqual(before);
      await tester.loadKey(serviceMessage(1, { quantum: 1n }), 0x940b);
      await tester.loadKey(serviceMessage(1, {}, { to: END + 1 }), 0x940b);
      await tester.loadKey(serviceMessage(1, {}, { from: START - 1 }), 0x940b);
      expect(await keysOn(tester)).toEqual(before);
      await tester.deleteKey(KIND.service, SERVICE, SERVICE_KEY_ID);
      await tester.loadKey(serviceMessage(1), 0x940b);
      expect(await keysOn(tester)).toEqual([]);
    },
  },
  {
    name: 'a number is kept over a power cut, and not used up by a refusal',
    from: 'active',
    async run(tester) {
      await tester.loadKey(serviceMessage(5));
      await tester.reset();
      await tester.select();
      await tester.loadKey(serviceMessage(5));
      await tester.loadKey(serviceMessage(5, {}, { keyId: 2 }), 0x940b);
      const refused = resealed(serviceMessage(6), DOWNLINK, (octets) => (octets[25] = 1));
      await tester.loadKey(refused, 0x6a80);
      await tester.loadKey(serviceMessage(6));
    },
  },
  {
    name: 'the validity kept is the overlap with the parent’s; none: 9405',
    from: 'active',
    async run(tester) {
      await tester.loadKey(serviceMessage(1, {}, { from: START + 100, to: START + 1000 }));
      await tester.loadKey(segmentMessage({ from: START, to: START + 500 }));
      await tester.loadKey(contentMessage({}, { from: START + 50, to: START + 5000 }));
      expect(parseKeyList(await tester.send(INS.LIST_KEYS))).toEqual([
        { kind: 0x10, parentKind: 0x01, service: 7, id: 1, from: START + 100, to: START + 1000 },
        { kind: 0x11, parentKind: 0x10, service: 7, id: 100, from: START + 100, to: START + 500 },
        { kind: 0x12, parentKind: 0x11, service: 7, id: 5000, from: START + 100, to: START + 500 },
      ]);
      await tester.loadKey(segmentMessage({ keyId: 101, from: START, to: START + 100 }), 0x9405);
      await tester.loadKey(segmentMessage({ keyId: 101, from: START + 1000, to: START + 2000 }), 0x9405);
      await tester.loadKey(contentMessage({}, { from: START + 500, to: START + 600 }), 0x9405);
      // 9405 before 940A and 9402.
      await tester.loadKey(contentMessage({ card: false }, { from: START + 500, to: START + 600 }), 0x9405);
      await tester.loadKey(serviceMessage(2, {}, { keyId: 2, from: 0, to: 0xffffffff }));
      const direct: KeyOptions = { parentKind: KIND.service, parentId: SERVICE_KEY_ID, keyId: 5001 };
      await tester.loadKey(contentMessage({}, direct));
      expect(parseKeyList(await tester.send(INS.LIST_KEYS)).at(-1)).toEqual({
        kind: 0x12,
        parentKind: 0x10,
        service: 7,
        id: 5001,
        from: START + 100,
        to: START + 1000,
      });
    },
  },
  {
    name: 'sixteen service keys, then 6A84; a message for a key on the card takes its place',
    from: 'active',
    async run(tester) {
      for (let n = 1; n <= 16; n++) await tester.loadKey(serviceMessage(n, {}, { keyId: n }));
      await tester.loadKey(serviceMessage(17, {}, { keyId: 17 }), 0x6a84);
      await tester.loadKey(serviceMessage(17, {}, { keyId: 9, to: END + 1 }));
      await tester.deleteKey(KIND.service, SERVICE, 3);
      await tester.loadKey(serviceMessage(18, {}, { keyId: 18 }));
      const data = await tester.send(INS.LIST_KEYS, undefined, 0x6150);
      const rest = await tester.command({ cla: 0, ins: 0xc0, p1: 0, p2: 0, le: 256 });
      const ids = [...parseKeyList(data), ...parseKeyList(rest)].map(({ id }) => id);
      expect(ids).toEqual([1, 2, 18, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    },
  },
  {
    name: 'a fifth segment key takes the place of the one that ends first, first of equals',
    from: 'active',
    async run(tester) {
      await tester.loadKey(serviceMessage(1));
      const load = (keyId: number, to: number): Promise<Uint8Array> =>
        tester.loadKey(segmentMessage({ keyId, to: START + to }));
      await load(1, 300);
      await load(2, 200);
      await load(3, 200);
      await load(4, 400);
      await load(5, 500);
      expect(await keysOn(tester)).toEqual(['10 7/1', '11 7/1', '11 7/5', '11 7/3', '11 7/4']);
      await load(6, 100);
      await load(7, 100);
      expect(await keysOn(tester)).toEqual(['10 7/1', '11 7/1', '11 7/5', '11 7/7', '11 7/4']);
      await load(4, 50);
      expect(await keysOn(tester)).toEqual(['10 7/1', '11 7/1', '11 7/5', '11 7/7', '11 7/4']);
      await load(8, 50);
      expect(await keysOn(tester)).toEqual(['10 7/1', '11 7/1', '11 7/5', '11 7/7', '11 7/8']);
    },
  },
  {
    name: 'a third content key: in place of one that has ended, or of another service, else 6A84',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(contentMessage({}, { keyId: 5001, to: START + 100 }));
      await tester.loadKey(contentMessage({}, { keyId: 5002 }), 0x6a84);
      await tester.decode(cardPart(1, { mediaTime: START + 99 }));
      await tester.loadKey(contentMessage({}, { keyId: 5002 }), 0x6a84);
      await tester.decode(cardPart(2, { mediaTime: START + 100 }));
      await tester.decode(cardPart(3, { mediaTime: START }));
      await tester.loadKey(contentMessage({}, { keyId: 5002 }));
      expect(await keysOn(tester)).toEqual(['10 7/1', '11 7/100', '12 7/5000', '12 7/5002']);
      // Another service's keys give way, those of the open session do not.
      await tester.loadKey(serviceMessage(2, {}, { service: 8 }));
      const other: KeyOptions = { service: 8, parentKind: KIND.service, parentId: SERVICE_KEY_ID, keyId: 6000 };
      await tester.loadKey(contentMessage({}, other), 0x6a84);
      await tester.open(8);
      await tester.loadKey(contentMessage({}, other));
      expect(await keysOn(tester)).toEqual(['10 7/1', '10 8/1', '11 7/100', '12 8/6000', '12 7/5002']);
      await tester.closeSession();
      await tester.loadKey(contentMessage({}, { keyId: 5003 }));
      await tester.loadKey(contentMessage({}, { keyId: 5004 }));
      expect(await keysOn(tester)).toEqual(['10 7/1', '10 8/1', '11 7/100', '12 7/5004', '12 7/5002']);
    },
  },
  {
    name: 'a key that is replaced, displaced or deleted takes the RAM keys below it along',
    from: 'playing',
    async run(tester) {
      const direct: KeyOptions = { parentKind: KIND.service, parentId: SERVICE_KEY_ID, keyId: 5001 };
      await tester.loadKey(contentMessage({}, direct));
      await tester.loadKey(segmentMessage());
      expect(await keysOn(tester)).toEqual(['10 7/1', '11 7/100', '12 7/5001']);
      await tester.loadKey(contentMessage());
      await tester.deleteKey(KIND.segment, SERVICE, SEGMENT_KEY_ID);
      expect(await keysOn(tester)).toEqual(['10 7/1', '12 7/5001']);
      await tester.loadKey(segmentMessage());
      await tester.loadKey(contentMessage());
      await tester.loadKey(serviceMessage(2));
      expect(await keysOn(tester)).toEqual(['10 7/1']);
      await tester.loadKey(segmentMessage({ to: START + 10 }));
      await tester.loadKey(contentMessage());
      for (let keyId = 1; keyId <= 4; keyId++) await tester.loadKey(segmentMessage({ keyId }));
      expect(await keysOn(tester)).toEqual(['10 7/1', '11 7/4', '11 7/1', '11 7/2', '11 7/3']);
      await tester.loadKey(contentMessage({}, direct));
      await tester.deleteKey(KIND.service, SERVICE, SERVICE_KEY_ID);
      expect(await keysOn(tester)).toEqual([]);
    },
  },
  {
    name: 'a purchase takes only its own keys along',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(serviceMessage(2, {}, { keyId: 2 }));
      await tester.loadKey(segmentMessage({ keyId: 101, parentId: 2 }));
      await tester.loadKey(contentMessage({}, { keyId: 5001, parentId: 101 }));
      await tester.deleteKey(KIND.service, SERVICE, SERVICE_KEY_ID);
      expect(await keysOn(tester)).toEqual(['10 7/2', '11 7/101', '12 7/5001']);
    },
  },
  {
    name: 'DELETE KEY of a key that is not here: 6A88',
    from: 'playing',
    async run(tester) {
      await tester.deleteKey(KIND.unique, 0, SERIAL, 0x6a88);
      await tester.deleteKey(KIND.service, SERVICE, 2, 0x6a88);
      await tester.deleteKey(KIND.service, 8, SERVICE_KEY_ID, 0x6a88);
      await tester.deleteKey(KIND.segment, SERVICE, SERVICE_KEY_ID, 0x6a88);
      await tester.deleteKey(KIND.content, SERVICE, SEGMENT_KEY_ID, 0x6a88);
      for (const kind of [0x00, 0x13, 0x15, 0xff]) await tester.deleteKey(kind, SERVICE, CONTENT_KEY_ID, 0x6a88);
      await tester.deleteKey(KIND.content, SERVICE, CONTENT_KEY_ID);
      await tester.deleteKey(KIND.content, SERVICE, CONTENT_KEY_ID, 0x6a88);
    },
  },
  {
    name: 'service keys survive the power, segment and content keys do not',
    from: 'playing',
    async run(tester) {
      await tester.reset();
      await tester.select();
      expect(await keysOn(tester)).toEqual(['10 7/1']);
      await tester.loadKey(contentMessage(), 0x6a88);
      await tester.loadKey(segmentMessage());
      await tester.loadKey(contentMessage());
      await tester.open();
      await tester.decode(cardPart(1));
    },
  },
  {
    name: 'the key inside is what the message says, and replacing it replaces it',
    from: 'playing',
    async run(tester) {
      const key = fixedKey('another');
      await tester.decode(cardPart(1, { key }), 0x6988);
      await tester.loadKey(contentMessage({}, { key }));
      await tester.decode(cardPart(1), 0x6988);
      await tester.decode(cardPart(1, { key }));
    },
  },
];
