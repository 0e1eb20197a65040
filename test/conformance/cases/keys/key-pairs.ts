import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { encodeCeilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import { type KeyEntry, parseKeyList } from '../../../../apdu/decode-module/keys/key-list.ts';
import { keyBodyAt, keyBodyLength } from '../../../../apdu/decode-module/keys/key-message.ts';
import { type KeyKind, KIND } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { openConfirm } from '../../../../apdu/decode-module/requests/confirm.ts';
import { openLeaveRecord } from '../../../../apdu/decode-module/requests/leave-record.ts';
import { LIFE } from '../../../../apdu/decode-module/select-answer.ts';
import { CEILINGS as CEILINGS_LAYOUT, KEY_MESSAGE_HEADER as KEY } from '../../../../apdu/layout/keys.ts';
import { concat, fromHex } from '../../../../apdu/octets.ts';
import {
  CARD_KEYS,
  sealPart,
  CEILINGS,
  CONTENT_KEY_ID,
  encodeContent,
  sealContent,
  END,
  KEYS,
  PROFILE,
  sealAnew,
  SEGMENT_KEY_ID,
  SERVICE,
  sealService,
  makeSpan,
  START,
} from '../../messages/messages.ts';
import {
  sealContentUnderPair,
  EPHEMERAL,
  makeFixedPair,
  HEAD_END,
  sealPairPurchase,
  sealRawPairPurchase,
  sealSegmentUnderPair,
  SERVICE_PAIR_ID,
  sealUnderPair,
} from '../../messages/pair-messages.ts';
import { sealBlindContent, sealSeedParts } from '../../messages/purchase-messages.ts';
import { type Case, type Tester, encodeU32 } from '../../tester.ts';

/** Where the body stands. */
const BODY_AT = keyBodyAt(KIND.servicePair);

const DGI_HEAD_END = 0x0004;
const MIDDLE = START + 1000;
const NONE = new Uint8Array(0);
const FREE = { kind: 'free' } as const;
const ORDER = fromHex('FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551');
/** On no curve: the y coordinate changed. */
const NO_POINT = HEAD_END.publicKey.with(64, HEAD_END.publicKey[64]! ^ 1);

export async function headEnd(tester: Tester, point = HEAD_END.publicKey): Promise<void> {
  await tester.storeData(DGI_HEAD_END, point, false);
}

/** With the head-end's point and the private half. */
async function paired(tester: Tester): Promise<void> {
  await headEnd(tester);
  await tester.loadKey(sealPairPurchase(50));
}

async function keysOn(tester: Tester): Promise<KeyEntry[]> {
  return parseKeyList(await tester.send(INS.LIST_KEYS));
}

async function plays(tester: Tester, group: number): Promise<void> {
  await tester.open();
  expect(await tester.decode(sealPart(group))).toEqual(makeSpan({ group, spanBlocks: 4 }));
}

function bodyOf(kind: KeyKind): Uint8Array {
  if (kind === KIND.content || kind === KIND.blind) return encodeContent(FREE);
  return encodeCeilings(CEILINGS).subarray(0, keyBodyLength(kind, KIND.servicePair));
}

export const keyPairCases: readonly Case[] = [
  {
    name: 'DGI 0004: 65 octets that begin with 04, on a blank card and later, as often as one wants',
    from: 'blank',
    long: true,
    async run(tester) {
      const point = HEAD_END.publicKey;
      for (const length of [0, 16, 64, 66]) {
        await tester.storeData(DGI_HEAD_END, new Uint8Array(length).fill(4), false, STATUS.BAD_FIELD);
      }
      for (const first of [0, 2, 3, 5, 0x84]) {
        await tester.storeData(DGI_HEAD_END, point.with(0, first), false, STATUS.BAD_FIELD);
      }
      await headEnd(tester, NO_POINT);
      await headEnd(tester);
      await tester.storeData(0x0001, PROFILE, false);
      await tester.storeData(0x8001, KEYS, true);
      await headEnd(tester, makeFixedPair('another').publicKey);
      await tester.setStatus(LIFE.active);
      await tester.loadKey(sealPairPurchase(1));
      await tester.loadKey(sealContentUnderPair(FREE), STATUS.CRYPTO);
      await headEnd(tester);
      await tester.loadKey(sealContentUnderPair(FREE));
      await plays(tester, 1);
    },
  },
  {
    name: 'GENERATE KEY PAIR: only through the channel 6982, P1 P2 6A86, length 6700, life state 6985, in this order',
    from: 'blank',
    async run(tester) {
      const inside = (p1: number, p2: number, data: Uint8Array, status: number): Promise<Uint8Array> =>
        tester.inside(INS.GENERATE_KEY_PAIR, p1, p2, data, status);
      await tester.command(
        { cla: 0x80, ins: INS.GENERATE_KEY_PAIR, p1: 1, p2: 0, data: encodeU32(0) },
        STATUS.SECURITY,
      );
      await tester.send(INS.GENERATE_KEY_PAIR, undefined, STATUS.SECURITY);
      await tester.command({ cla: 0x80, ins: INS.GENERATE_KEY_PAIR, p1: 0, p2: 0, le: 65 }, STATUS.SECURITY);
      await inside(1, 0, encodeU32(0), STATUS.WRONG_PARAMETERS);
      await inside(0, 1, NONE, STATUS.WRONG_PARAMETERS);
      await inside(0, 0, Uint8Array.of(0), STATUS.WRONG_LENGTH);
      await inside(0, 0, NONE, STATUS.NOT_NOW);
      await tester.storeData(0x0001, PROFILE, false);
      await tester.activate(0x8001, KEYS);
      await tester.send(INS.GENERATE_KEY_PAIR, undefined, STATUS.SECURITY);
      await tester.setStatus(LIFE.blocked);
      await inside(0, 0, NONE, STATUS.NOT_NOW);
      await tester.setStatus(LIFE.terminated);
      await inside(0, 0, NONE, STATUS.NOT_NOW);
    },
  },
  {
    name: 'a card without a pair of its own: GET DATA 0104 6A88, also with data, and messages under kind 02 6A88',
    from: 'playing',
    long: true,
    async run(tester) {
      await tester.command({ cla: 0x80, ins: INS.GET_DATA, p1: 1, p2: 4, le: 256 }, STATUS.UNKNOWN_KEY);
      await tester.command(
        { cla: 0x80, ins: INS.GET_DATA, p1: 1, p2: 4, data: encodeU32(0), le: 256 },
        STATUS.UNKNOWN_KEY,
      );
      await headEnd(tester);
      const options = { parentKind: KIND.cardPair, number: 9, publicKey: EPHEMERAL.publicKey } as const;
      await tester.loadKey(sealUnderPair(KIND.service, encodeCeilings(CEILINGS), options), STATUS.UNKNOWN_KEY);
    },
  },
  {
    name: 'a private half is a purchase: confirmed, listed after the keys and before the seeds, again the same confirm',
    from: 'playing',
    long: true,
    async run(tester) {
      for (const message of sealSeedParts(40, 0, 8)) await tester.loadKey(message);
      const message = sealPairPurchase(50);
      expect(message).toHaveLength(112);
      const confirm = await tester.loadKey(message);
      expect(openConfirm(confirm, CARD_KEYS.uplink)).toMatchObject({ keyId: SERVICE_PAIR_ID, number: 50, to: END });
      expect(await tester.loadKey(message)).toEqual(confirm);
      const list = await keysOn(tester);
      expect(list.map(({ kind }) => kind)).toEqual([0x10, 0x16, 0x14, 0x11, 0x12]);
      expect(list[1]).toEqual({
        kind: 0x16,
        parentKind: 0x01,
        service: SERVICE,
        keyId: SERVICE_PAIR_ID,
        from: START,
        to: END,
      });
      await tester.loadKey(sealPairPurchase(50, { to: END - 1 }), STATUS.OLD_NUMBER);
      await tester.loadKey(sealPairPurchase(17), STATUS.OLD_NUMBER);
      await tester.reset();
      await tester.select();
      expect(await tester.loadKey(message)).toEqual(confirm);
    },
  },
  {
    name: 'its fields: ceilings, flags, reserved octets, tag and length',
    from: 'active',
    async run(tester) {
      const message = sealPairPurchase(50);
      const wrong: ReadonlyArray<(octets: Uint8Array) => void> = [
        (octets) => KEY.writeUint(octets, 'flags', 1),
        (octets) => (octets[26] = 1),
        (octets) => KEY.writeUint(octets, 'service', 0),
        (octets) => KEY.writeUint(octets, 'to', START),
        (octets) => CEILINGS_LAYOUT.writeUint(octets, 'quantum', 0, BODY_AT),
        (octets) => CEILINGS_LAYOUT.writeUint(octets, 'quantum', 2 ** 39, BODY_AT),
        (octets) => (octets[64 + 31] = 1),
      ];
      for (const change of wrong) await tester.loadKey(sealAnew(message, CARD_KEYS.downlink, change), STATUS.BAD_FIELD);
      for (let at = 0; at < message.length; at += 5) {
        const names = at === 24 || (at >= 28 && at < 32);
        await tester.loadKey(message.with(at, message[at]! ^ 0x80), names ? STATUS.UNKNOWN_KEY : STATUS.CRYPTO);
      }
      for (const length of [56, 96, 111]) await tester.loadKey(message.subarray(0, length), STATUS.CRYPTO);
      await tester.loadKey(concat(message, NONE, new Uint8Array(1)), STATUS.CRYPTO);
      await tester.loadKey(message);
    },
  },
  {
    name: 'private halves are from 1 to the order less 1: else 6A80, and the number is still good',
    from: 'active',
    long: true,
    async run(tester) {
      await headEnd(tester);
      const last = ORDER.with(31, ORDER[31]! - 1);
      for (const half of [new Uint8Array(32), ORDER, new Uint8Array(32).fill(0xff), ORDER.with(0, 0xff).with(7, 1)]) {
        await tester.loadKey(sealRawPairPurchase(50, half), STATUS.BAD_FIELD);
      }
      expect(await keysOn(tester)).toEqual([]);
      await tester.loadKey(sealRawPairPurchase(50, last));
      // One that is there stays when a bad one would take its place.
      await tester.loadKey(sealRawPairPurchase(51, ORDER), STATUS.BAD_FIELD);
      expect(await keysOn(tester)).toHaveLength(1);
      await tester.loadKey(sealRawPairPurchase(51, new Uint8Array(32).with(31, 1)));
      // The point of 1 is the base point.
      const base = fromHex(
        '046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C2964FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5',
      );
      await tester.loadKey(sealContentUnderPair(FREE, { publicKey: base }));
      await plays(tester, 1);
    },
  },
  {
    name: 'four private halves, a fifth 6A84; a slot that is deleted is free again',
    from: 'active',
    async run(tester) {
      for (let i = 0; i < 4; i++) await tester.loadKey(sealPairPurchase(50 + i, { keyId: 400 + i }));
      await tester.loadKey(sealPairPurchase(54, { keyId: 404 }), STATUS.NO_ROOM);
      await tester.loadKey(sealRawPairPurchase(54, ORDER, 404), STATUS.NO_ROOM);
      await tester.loadKey(sealPairPurchase(54, { keyId: 402, to: END - 1 }));
      await tester.deleteKey(KIND.servicePair, SERVICE, 401);
      await tester.deleteKey(KIND.servicePair, SERVICE, 401, STATUS.UNKNOWN_KEY);
      await tester.loadKey(sealPairPurchase(55, { keyId: 404 }));
      expect((await keysOn(tester)).map(({ keyId }) => keyId)).toEqual([400, 404, 402, 403]);
      for (let i = 0; i < 16; i++) await tester.loadKey(sealService(60 + i, {}, { keyId: 1 + i }));
      await tester.loadKey(sealService(80, {}, { keyId: 17 }), STATUS.NO_ROOM);
    },
  },
  {
    name: 'each kind under a private half: right ones load, wrong ones 940D, forged ones 6988',
    from: 'playing',
    long: true,
    async run(tester) {
      await tester.deleteKey(KIND.content, SERVICE, 5000);
      await paired(tester);
      const lengths = new Map<KeyKind, number>([
        [KIND.service, 152],
        [KIND.segment, 120],
        [KIND.content, 168],
        [KIND.blind, 168],
        [KIND.node, 120],
        [KIND.servicePair, 168],
      ]);
      for (const [kind, length] of lengths) {
        const message = sealUnderPair(kind, bodyOf(kind), { keyId: 700 + kind });
        expect(message).toHaveLength(length);
        const right = kind === KIND.segment || kind === KIND.content || kind === KIND.blind;
        await tester.loadKey(message.with(length - 1, message[length - 1]! ^ 1), STATUS.CRYPTO);
        await tester.loadKey(message, right ? STATUS.DONE : STATUS.WRONG_PARENT);
        if (right) await tester.loadKey(message);
      }
      const parents = (await keysOn(tester)).filter(({ keyId }) => keyId > 700).map(({ parentKind }) => parentKind);
      expect(parents).toEqual([0x16, 0x16, 0x16]);
    },
  },
  {
    name: 'without DGI 0004, the private half, or its name: 6A88',
    from: 'active',
    long: true,
    async run(tester) {
      await tester.loadKey(sealPairPurchase(50));
      await tester.loadKey(sealContentUnderPair(FREE), STATUS.UNKNOWN_KEY);
      await headEnd(tester);
      await tester.loadKey(sealContentUnderPair(FREE, { pairId: SERVICE_PAIR_ID + 1 }), STATUS.UNKNOWN_KEY);
      await tester.loadKey(sealContentUnderPair(FREE));
      await tester.deleteKey(KIND.servicePair, SERVICE, SERVICE_PAIR_ID);
      await tester.loadKey(sealContentUnderPair(FREE), STATUS.UNKNOWN_KEY);
    },
  },
  {
    name: 'every part of a message under a private half is under its tag, the ephemeral point too',
    from: 'active',
    async run(tester) {
      await paired(tester);
      const message = sealSegmentUnderPair();
      for (let at = 0; at < message.length; at += 3) {
        const names = at === 24 || (at >= 28 && at < 32) || (at >= 4 && at < 8);
        await tester.loadKey(message.with(at, message[at]! ^ 0x01), names ? STATUS.UNKNOWN_KEY : STATUS.CRYPTO);
      }
      for (const length of [56, 64, 119]) await tester.loadKey(message.subarray(0, length), STATUS.CRYPTO);
      await tester.loadKey(message);
    },
  },
  {
    name: 'points that are none, and senders without the head-end’s private half: 6988',
    from: 'active',
    async run(tester) {
      await paired(tester);
      const message = sealSegmentUnderPair();
      const withPoint = (point: Uint8Array): Uint8Array => {
        const octets = message.slice();
        octets.set(point, 48);
        return octets;
      };
      for (const fill of [0x00, 0x01, 0xff])
        await tester.loadKey(withPoint(new Uint8Array(64).fill(fill)), STATUS.CRYPTO);
      await tester.loadKey(withPoint(NO_POINT.subarray(1)), STATUS.CRYPTO);
      await tester.loadKey(withPoint(makeFixedPair('other').publicKey.subarray(1)), STATUS.CRYPTO);
      await tester.loadKey(sealSegmentUnderPair({ staticKey: makeFixedPair('other').privateKey }), STATUS.CRYPTO);
      await tester.loadKey(sealSegmentUnderPair({ publicKey: makeFixedPair('other').publicKey }), STATUS.CRYPTO);
      await tester.loadKey(message);
      await headEnd(tester, NO_POINT);
      await tester.loadKey(message, STATUS.CRYPTO);
      await headEnd(tester);
      await tester.loadKey(message);
    },
  },
  {
    name: 'what it carries plays at the ceilings of its purchase, and another ephemeral point is another message',
    from: 'active',
    long: true,
    async run(tester) {
      await headEnd(tester);
      await tester.loadKey(sealPairPurchase(50, { perMegabyte: 100n }));
      await tester.loadKey(sealContentUnderPair({ price: 101n }), STATUS.ABOVE_CEILING);
      await tester.loadKey(sealContentUnderPair({ price: 100n }));
      await tester.loadKey(sealSegmentUnderPair({ to: MIDDLE, ephemeral: makeFixedPair('second') }));
      await tester.loadKey(sealContent({ price: 101n }), STATUS.ABOVE_CEILING);
      await tester.deleteKey(KIND.content, SERVICE, CONTENT_KEY_ID);
      await tester.loadKey(sealContent({ price: 100n }));
      expect((await keysOn(tester)).find(({ kind }) => kind === KIND.content)?.to).toBe(MIDDLE);
      await tester.open();
      await tester.decode(sealPart(1), STATUS.NO_CREDIT);
      await tester.loadKey(sealContent(FREE));
      await plays(tester, 2);
    },
  },
  {
    name: 'a leave, a delete and a new private half take what is below along',
    from: 'active',
    long: true,
    async run(tester) {
      await paired(tester);
      const fill = async (): Promise<void> => {
        await tester.loadKey(sealSegmentUnderPair());
        await tester.loadKey(sealContent(FREE));
        await tester.loadKey(
          sealUnderPair(KIND.blind, encodeContent({ ...FREE, segmentId: SEGMENT_KEY_ID }), { keyId: 6000 }),
        );
      };
      await fill();
      const data = concat(encodeU32(SERVICE), encodeU32(SERVICE_PAIR_ID), encodeU32(MIDDLE));
      const record = openLeaveRecord(await tester.send(INS.LEAVE, data), CARD_KEYS.uplink);
      expect(record).toMatchObject({ keyId: SERVICE_PAIR_ID, number: 50, to: MIDDLE });
      expect((await keysOn(tester)).map(({ to }) => to)).toEqual([MIDDLE, MIDDLE, MIDDLE, MIDDLE]);
      await tester.loadKey(sealPairPurchase(50), STATUS.OLD_NUMBER);
      const other = makeFixedPair('new service pair');
      await tester.loadKey(sealPairPurchase(51, { privateKey: other.privateKey }));
      expect(await keysOn(tester)).toHaveLength(1);
      await tester.loadKey(sealSegmentUnderPair(), STATUS.CRYPTO);
      await tester.loadKey(sealContentUnderPair(FREE, { publicKey: other.publicKey }));
      await tester.deleteKey(KIND.servicePair, SERVICE, SERVICE_PAIR_ID);
      expect(await keysOn(tester)).toEqual([]);
      await tester.loadKey(sealPairPurchase(51, { privateKey: other.privateKey }), STATUS.OLD_NUMBER);
    },
  },
  {
    name: 'a private half takes nothing from other parents of its service',
    from: 'playing',
    async run(tester) {
      await paired(tester);
      await tester.loadKey(sealBlindContent());
      await tester.deleteKey(KIND.servicePair, SERVICE, SERVICE_PAIR_ID);
      expect((await keysOn(tester)).map(({ kind }) => kind)).toEqual([0x10, 0x11, 0x12, 0x13]);
    },
  },
];
