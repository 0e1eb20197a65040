import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { encodeCeilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import { parseKeyList } from '../../../../apdu/decode-module/keys/key-list.ts';
import { type KeyKind, KIND, type ParentKind } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { KEY_MESSAGE_HEADER as KEY } from '../../../../apdu/layout/keys.ts';
import { concat } from '../../../../apdu/octets.ts';
import {
  sealAny,
  CARD_KEYS,
  CEILINGS,
  CONTENT_KEY_ID,
  encodeContent,
  sealContent,
  END,
  findKey,
  type KeyOptions,
  sealAnew,
  SEGMENT_KEY_ID,
  sealSegment,
  SERIAL,
  SERVICE,
  SERVICE_KEY_ID,
  sealService,
  START,
} from '../../messages/messages.ts';
import type { Case } from '../../tester.ts';

const DOWNLINK = CARD_KEYS.downlink;
const SERVICE_KEY = findKey(KIND.service, SERVICE, SERVICE_KEY_ID);
const SEGMENT_KEY = findKey(KIND.segment, SERVICE, SEGMENT_KEY_ID);

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
  [KIND.content]: encodeContent(),
  [KIND.blind]: encodeContent({ kind: 'free' }),
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
    long: true,
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
          const message = sealAny(kind, bought ? BODIES[KIND.service] : BODIES[kind], options);
          const bad = message.slice();
          bad[bad.length - 1]! ^= 1;
          await tester.loadKey(bad, STATUS.CRYPTO);
          const right = carries.includes(kind);
          await tester.loadKey(message, right ? STATUS.DONE : STATUS.WRONG_PARENT);
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
      const message = sealAnew(sealAny(KIND.segment, new Uint8Array(0), options), SEGMENT_KEY, (octets) => {
        KEY.writeUint(octets, 'flags', 1);
      });
      await tester.loadKey(message, STATUS.WRONG_PARENT);
      message[55]! ^= 1;
      await tester.loadKey(message, STATUS.CRYPTO);
    },
  },
  {
    name: 'a parent that is not here: 6A88, whatever else is wrong',
    from: 'active',
    async run(tester) {
      await tester.loadKey(sealSegment(), STATUS.UNKNOWN_KEY);
      await tester.loadKey(sealContent(), STATUS.UNKNOWN_KEY);
      await tester.loadKey(sealContent({}, { parentKind: KIND.service, parentId: SERVICE_KEY_ID }), STATUS.UNKNOWN_KEY);
      await tester.loadKey(sealService(1, {}, { parentId: SERIAL + 1 }), STATUS.UNKNOWN_KEY);
      await tester.loadKey(new Uint8Array(56), STATUS.UNKNOWN_KEY);
      await tester.loadKey(sealService(1));
      await tester.loadKey(sealSegment({ service: SERVICE + 1 }), STATUS.UNKNOWN_KEY);
      await tester.loadKey(sealSegment({ parentId: SERVICE_KEY_ID + 1 }), STATUS.UNKNOWN_KEY);
      for (const kind of [0x00, 0x02, 0x13, 0x14, 0x15, 0x16, 0x18, 0x20, 0xff]) {
        const message = sealSegment();
        KEY.writeUint(message, 'parentKind', kind);
        await tester.loadKey(message, STATUS.UNKNOWN_KEY);
      }
    },
  },
  {
    name: 'shorter than 56 octets: 6988, before the parent is looked for',
    from: 'active',
    async run(tester) {
      for (const length of [0, 1, 31, 32, 48, 55])
        await tester.loadKey(sealSegment().subarray(0, length), STATUS.CRYPTO);
    },
  },
  {
    name: 'every octet of a service message is under its tag',
    from: 'active',
    async run(tester) {
      const message = sealService(1);
      for (const [at, flipped] of flips(message).entries()) {
        // Parent kind and parent id name another parent.
        await tester.loadKey(flipped, at === 24 || (at >= 28 && at < 32) ? STATUS.UNKNOWN_KEY : STATUS.CRYPTO);
      }
      await tester.loadKey(message);
    },
  },
  {
    name: 'every octet of a segment and a content message is under its tag',
    from: 'playing',
    async run(tester) {
      for (const message of [sealSegment({ keyId: 150 }), sealContent({}, { keyId: 5001 })]) {
        for (const [at, flipped] of flips(message).entries()) {
          const names = at === 24 || (at >= 28 && at < 32) || (at >= 4 && at < 8);
          await tester.loadKey(flipped, names ? STATUS.UNKNOWN_KEY : STATUS.CRYPTO);
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
        (octets) => KEY.writeUint(octets, 'version', 0),
        (octets) => KEY.writeUint(octets, 'version', 2),
        (octets) => (octets[3]! += 1),
        (octets) => (octets[2] = 1),
        (octets) => KEY.writeUint(octets, 'kind', 0x10),
        (octets) => KEY.writeUint(octets, 'kind', 0x12),
        (octets) => KEY.writeUint(octets, 'kind', 0x13),
        (octets) => KEY.writeUint(octets, 'kind', 0x14),
        (octets) => KEY.writeUint(octets, 'kind', 0x16),
        (octets) => KEY.writeUint(octets, 'kind', 0x17),
        (octets) => KEY.writeUint(octets, 'kind', 0x01),
        (octets) => KEY.writeUint(octets, 'kind', 0x60),
      ];
      for (const change of wrong) await tester.loadKey(sealAnew(sealSegment(), SERVICE_KEY, change), STATUS.CRYPTO);
      const longer = new Uint8Array(72);
      longer.set(sealSegment());
      await tester.loadKey(longer, STATUS.CRYPTO);
      await tester.loadKey(
        sealAnew(longer, SERVICE_KEY, (octets) => KEY.writeUint(octets, 'length', 72)),
        STATUS.CRYPTO,
      );
      await tester.loadKey(sealContent().subarray(0, 56), STATUS.CRYPTO);
      await tester.loadKey(sealContent().subarray(0, 103), STATUS.CRYPTO);
    },
  },
  {
    name: 'numbers under the unique key: each once, none from below the window',
    from: 'active',
    long: true,
    async run(tester) {
      const load = (number: number, status: number, id = number): Promise<Uint8Array> =>
        tester.loadKey(sealService(number, {}, { keyId: id }), status);
      await load(0, STATUS.DONE);
      await load(0, STATUS.OLD_NUMBER, 1);
      await load(1000, STATUS.DONE);
      await load(1000, STATUS.OLD_NUMBER, 1);
      await load(999, STATUS.DONE);
      await load(999, STATUS.OLD_NUMBER, 1);
      await load(969, STATUS.DONE);
      await load(968, STATUS.OLD_NUMBER);
      await load(0, STATUS.DONE);
      await load(1001, STATUS.DONE);
      await load(969, STATUS.DONE);
      await load(969, STATUS.OLD_NUMBER, 1);
      await load(970, STATUS.DONE);
      await load(0xffffffff, STATUS.DONE);
      await load(1001, STATUS.DONE);
      await load(1002, STATUS.OLD_NUMBER);
      await load(0xfffffffe, STATUS.DONE);
      expect(await tester.keys()).toHaveLength(8);
    },
  },
  {
    name: 'the window moves on by whole widths and keeps nothing of what it leaves',
    from: 'active',
    async run(tester) {
      const load = (number: number, status: number): Promise<Uint8Array> =>
        tester.loadKey(sealService(number, {}, { keyId: status === STATUS.DONE ? number : 1 }), status);
      await load(999, STATUS.DONE);
      await load(1000, STATUS.DONE);
      await load(1032, STATUS.DONE);
      await load(1031, STATUS.DONE);
      await load(1001, STATUS.DONE);
      await load(1000, STATUS.OLD_NUMBER);
      await load(1095, STATUS.DONE);
      await load(1094, STATUS.DONE);
      await load(1064, STATUS.DONE);
      await load(1063, STATUS.OLD_NUMBER);
    },
  },
  {
    name: 'the very message again: the same confirm and nothing changes; another of its number: 940B',
    from: 'playing',
    async run(tester) {
      const before = await tester.keys();
      const confirm = await tester.loadKey(sealService(1));
      expect(await tester.loadKey(sealService(1))).toEqual(confirm);
      expect(await tester.keys()).toEqual(before);
      await tester.loadKey(sealService(1, { quantum: 1n }), STATUS.OLD_NUMBER);
      await tester.loadKey(sealService(1, {}, { to: END + 1 }), STATUS.OLD_NUMBER);
      await tester.loadKey(sealService(1, {}, { from: START - 1 }), STATUS.OLD_NUMBER);
      expect(await tester.keys()).toEqual(before);
      await tester.deleteKey(KIND.service, SERVICE, SERVICE_KEY_ID);
      await tester.loadKey(sealService(1), STATUS.OLD_NUMBER);
      expect(await tester.keys()).toEqual([]);
    },
  },
  {
    name: 'a number is kept over a power cut, and not used up by a refusal',
    from: 'active',
    async run(tester) {
      await tester.loadKey(sealService(5));
      await tester.reset();
      await tester.select();
      await tester.loadKey(sealService(5));
      await tester.loadKey(sealService(5, {}, { keyId: 2 }), STATUS.OLD_NUMBER);
      const refused = sealAnew(sealService(6), DOWNLINK, (octets) => KEY.writeUint(octets, 'flags', 1));
      await tester.loadKey(refused, STATUS.BAD_FIELD);
      await tester.loadKey(sealService(6));
    },
  },
  {
    name: 'the validity kept is the overlap with the parent’s; none: 9405',
    from: 'active',
    async run(tester) {
      await tester.loadKey(sealService(1, {}, { from: START + 100, to: START + 1000 }));
      await tester.loadKey(sealSegment({ from: START, to: START + 500 }));
      await tester.loadKey(sealContent({}, { from: START + 50, to: START + 5000 }));
      expect(parseKeyList(await tester.send(INS.LIST_KEYS))).toEqual([
        { kind: 0x10, parentKind: 0x01, service: 7, keyId: 1, from: START + 100, to: START + 1000 },
        { kind: 0x11, parentKind: 0x10, service: 7, keyId: 100, from: START + 100, to: START + 500 },
        { kind: 0x12, parentKind: 0x11, service: 7, keyId: 5000, from: START + 100, to: START + 500 },
      ]);
      await tester.loadKey(sealSegment({ keyId: 101, from: START, to: START + 100 }), STATUS.OUTSIDE_VALIDITY);
      await tester.loadKey(sealSegment({ keyId: 101, from: START + 1000, to: START + 2000 }), STATUS.OUTSIDE_VALIDITY);
      await tester.loadKey(sealContent({}, { from: START + 500, to: START + 600 }), STATUS.OUTSIDE_VALIDITY);
      // 9405 before 940A and 9402.
      await tester.loadKey(
        sealContent({ card: false }, { from: START + 500, to: START + 600 }),
        STATUS.OUTSIDE_VALIDITY,
      );
      await tester.loadKey(sealService(2, {}, { keyId: 2, from: 0, to: 0xffffffff }));
      const direct: KeyOptions = { parentKind: KIND.service, parentId: SERVICE_KEY_ID, keyId: 5001 };
      await tester.loadKey(sealContent({}, direct));
      expect(parseKeyList(await tester.send(INS.LIST_KEYS)).at(-1)).toEqual({
        kind: 0x12,
        parentKind: 0x10,
        service: 7,
        keyId: 5001,
        from: START + 100,
        to: START + 1000,
      });
    },
  },
];
