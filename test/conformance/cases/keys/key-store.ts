import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { parseKeyList } from '../../../../apdu/decode-module/keys/key-list.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { concat } from '../../../../apdu/octets.ts';
import {
  sealPart,
  CONTENT_KEY_ID,
  sealContent,
  END,
  makeFixedKey,
  type KeyOptions,
  SEGMENT_KEY_ID,
  sealSegment,
  SERIAL,
  SERVICE,
  SERVICE_KEY_ID,
  sealService,
  START,
} from '../../messages/messages.ts';
import { sealPairPurchase } from '../../messages/pair-messages.ts';
import {
  sealTreeLeaf,
  SEED_PURCHASE_ID,
  sealSeedParts,
  sealSegmentPurchase,
  sealUnderSlot,
} from '../../messages/purchase-messages.ts';
import { type Case, encodeU32 } from '../../tester.ts';

export const keyStoreCases: readonly Case[] = [
  {
    name: 'sixteen service keys, then 6A84; a message for a key on the card takes its place',
    from: 'active',
    long: true,
    async run(tester) {
      for (let n = 1; n <= 16; n++) await tester.loadKey(sealService(n, {}, { keyId: n }));
      await tester.loadKey(sealService(17, {}, { keyId: 17 }), STATUS.NO_ROOM);
      await tester.loadKey(sealService(17, {}, { keyId: 9, to: END + 1 }));
      await tester.deleteKey(KIND.service, SERVICE, 3);
      await tester.loadKey(sealService(18, {}, { keyId: 18 }));
      const data = await tester.send(INS.LIST_KEYS, undefined, 0x6150);
      const rest = await tester.command({ cla: 0, ins: 0xc0, p1: 0, p2: 0, le: 256 });
      const ids = [...parseKeyList(data), ...parseKeyList(rest)].map(({ keyId }) => keyId);
      expect(ids).toEqual([1, 2, 18, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    },
  },
  {
    name: 'a fifth segment key takes the place of the one that ends first, first of equals',
    from: 'active',
    async run(tester) {
      await tester.loadKey(sealService(1));
      const load = (keyId: number, to: number): Promise<Uint8Array> =>
        tester.loadKey(sealSegment({ keyId, to: START + to }));
      await load(1, 300);
      await load(2, 200);
      await load(3, 200);
      await load(4, 400);
      await load(5, 500);
      expect(await tester.keys()).toEqual(['10 7/1', '11 7/1', '11 7/5', '11 7/3', '11 7/4']);
      await load(6, 100);
      await load(7, 100);
      expect(await tester.keys()).toEqual(['10 7/1', '11 7/1', '11 7/5', '11 7/7', '11 7/4']);
      await tester.loadKey(sealSegment({ keyId: 4, to: START + 50, key: makeFixedKey('another') }));
      expect(await tester.keys()).toEqual(['10 7/1', '11 7/1', '11 7/5', '11 7/7', '11 7/4']);
      await load(8, 50);
      expect(await tester.keys()).toEqual(['10 7/1', '11 7/1', '11 7/5', '11 7/7', '11 7/8']);
    },
  },
  {
    name: 'a third content key: in place of one that has ended, or of another service, else 6A84',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealContent({}, { keyId: 5001, to: START + 100 }));
      await tester.loadKey(sealContent({}, { keyId: 5002 }), STATUS.NO_ROOM);
      await tester.decode(sealPart(1, { mediaTime: START + 99 }));
      await tester.loadKey(sealContent({}, { keyId: 5002 }), STATUS.NO_ROOM);
      await tester.decode(sealPart(2, { mediaTime: START + 100 }));
      await tester.decode(sealPart(3, { mediaTime: START }));
      await tester.loadKey(sealContent({}, { keyId: 5002 }));
      expect(await tester.keys()).toEqual(['10 7/1', '11 7/100', '12 7/5000', '12 7/5002']);
      // Another service's keys give way, those of the open session do not.
      await tester.loadKey(sealService(2, {}, { service: 8 }));
      const other: KeyOptions = { service: 8, parentKind: KIND.service, parentId: SERVICE_KEY_ID, keyId: 6000 };
      await tester.loadKey(sealContent({}, other), STATUS.NO_ROOM);
      await tester.open(8);
      await tester.loadKey(sealContent({}, other));
      expect(await tester.keys()).toEqual(['10 7/1', '10 8/1', '11 7/100', '12 8/6000', '12 7/5002']);
      await tester.closeSession();
      await tester.loadKey(sealContent({}, { keyId: 5003 }));
      await tester.loadKey(sealContent({}, { keyId: 5004 }));
      expect(await tester.keys()).toEqual(['10 7/1', '10 8/1', '11 7/100', '12 7/5004', '12 7/5002']);
    },
  },
  {
    name: 'a key that is replaced, displaced or deleted takes the RAM keys below it along',
    from: 'playing',
    async run(tester) {
      const direct: KeyOptions = { parentKind: KIND.service, parentId: SERVICE_KEY_ID, keyId: 5001 };
      await tester.loadKey(sealContent({}, direct));
      await tester.loadKey(sealSegment({ key: makeFixedKey('another') }));
      expect(await tester.keys()).toEqual(['10 7/1', '11 7/100', '12 7/5001']);
      await tester.loadKey(sealSegment());
      await tester.loadKey(sealContent());
      await tester.deleteKey(KIND.segment, SERVICE, SEGMENT_KEY_ID);
      expect(await tester.keys()).toEqual(['10 7/1', '12 7/5001']);
      await tester.loadKey(sealSegment());
      await tester.loadKey(sealContent());
      await tester.loadKey(sealService(2, {}, { key: makeFixedKey('another') }));
      expect(await tester.keys()).toEqual(['10 7/1']);
      await tester.loadKey(sealService(3));
      await tester.loadKey(sealSegment({ to: START + 10 }));
      await tester.loadKey(sealContent());
      for (let keyId = 1; keyId <= 4; keyId++) await tester.loadKey(sealSegment({ keyId }));
      expect(await tester.keys()).toEqual(['10 7/1', '11 7/4', '11 7/1', '11 7/2', '11 7/3']);
      await tester.loadKey(sealContent({}, direct));
      await tester.deleteKey(KIND.service, SERVICE, SERVICE_KEY_ID);
      expect(await tester.keys()).toEqual([]);
    },
  },
  {
    name: 'a purchase takes only its own keys along',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealService(2, {}, { keyId: 2 }));
      await tester.loadKey(sealSegment({ keyId: 101, parentId: 2 }));
      await tester.loadKey(sealContent({}, { keyId: 5001, parentId: 101 }));
      await tester.deleteKey(KIND.service, SERVICE, SERVICE_KEY_ID);
      expect(await tester.keys()).toEqual(['10 7/2', '11 7/101', '12 7/5001']);
    },
  },
  {
    name: 'of a service key, a segment bought, a private half and seeds with one id LEAVE means the first that LIST KEYS names',
    from: 'active',
    long: true,
    async run(tester) {
      const id = 9;
      const messages = [
        sealSeedParts(1, 0, 8, { keyId: id })[0]!,
        sealPairPurchase(2, { keyId: id }),
        sealSegmentPurchase(3, { keyId: id }),
        sealService(4, {}, { keyId: id }),
      ];
      for (const message of messages) await tester.loadKey(message);
      const kinds = parseKeyList(await tester.send(INS.LIST_KEYS)).map(({ kind }) => kind);
      // A segment came before the service key: by slot, not by kind.
      expect(kinds).toEqual([KIND.segment, KIND.service, KIND.servicePair, KIND.seeds]);
      for (const [left, kind] of kinds.entries()) {
        await tester.send(INS.LEAVE, concat(encodeU32(SERVICE), encodeU32(id), encodeU32(START + left)));
        const list = parseKeyList(await tester.send(INS.LIST_KEYS));
        expect(list.map(({ to }) => to)).toEqual([START + left, ...list.slice(1).map(() => END)]);
        await tester.deleteKey(kind, SERVICE, id);
      }
      await tester.send(INS.LEAVE, concat(encodeU32(SERVICE), encodeU32(id), encodeU32(START)), STATUS.UNKNOWN_KEY);
    },
  },
  {
    name: 'a purchase of slots left to nothing still names its slots: 9405, and 6A88 once it is deleted',
    from: 'active',
    long: true,
    async run(tester) {
      await tester.loadKey(sealSeedParts(1, 0, 8)[0]!);
      await tester.send(INS.LEAVE, concat(encodeU32(SERVICE), encodeU32(SEED_PURCHASE_ID), encodeU32(0)));
      await tester.loadKey(sealUnderSlot(3), STATUS.OUTSIDE_VALIDITY);
      await tester.loadKey(sealUnderSlot(9), STATUS.UNKNOWN_KEY);
      await tester.deleteKey(KIND.seeds, SERVICE, SEED_PURCHASE_ID);
      await tester.loadKey(sealUnderSlot(3), STATUS.UNKNOWN_KEY);
    },
  },
  {
    name: 'a list with 256 octets and more to come says 6100',
    from: 'active',
    long: true,
    async run(tester) {
      for (let id = 1; id <= 16; id++) await tester.loadKey(sealService(id, {}, { keyId: id }));
      for (let id = 1; id <= 9; id++) {
        await tester.loadKey(sealTreeLeaf(20 + id, { leaf: id + 1, key: makeFixedKey('leaf') }));
      }
      const list = (status: number) => tester.send(INS.LIST_KEYS, new Uint8Array(0), status);
      const rest = (status: number) => tester.command({ cla: 0, ins: INS.GET_RESPONSE, p1: 0, p2: 0, le: 256 }, status);
      // 25 keys are 500 octets: 240 come, 260 are left, then 20.
      expect(await list(0x6100)).toHaveLength(240);
      expect(await rest(0x6114)).toHaveLength(240);
      expect(await rest(STATUS.DONE)).toHaveLength(20);
      await tester.deleteKey(KIND.node, SERVICE, 10);
      expect(await list(0x61f0)).toHaveLength(240);
    },
  },
  {
    name: 'DELETE KEY of a key that is not here: 6A88',
    from: 'playing',
    async run(tester) {
      await tester.deleteKey(KIND.unique, 0, SERIAL, STATUS.UNKNOWN_KEY);
      await tester.deleteKey(KIND.service, SERVICE, 2, STATUS.UNKNOWN_KEY);
      await tester.deleteKey(KIND.service, 8, SERVICE_KEY_ID, STATUS.UNKNOWN_KEY);
      await tester.deleteKey(KIND.segment, SERVICE, SERVICE_KEY_ID, STATUS.UNKNOWN_KEY);
      await tester.deleteKey(KIND.content, SERVICE, SEGMENT_KEY_ID, STATUS.UNKNOWN_KEY);
      for (const kind of [0x00, 0x13, 0x15, 0xff])
        await tester.deleteKey(kind, SERVICE, CONTENT_KEY_ID, STATUS.UNKNOWN_KEY);
      await tester.deleteKey(KIND.content, SERVICE, CONTENT_KEY_ID);
      await tester.deleteKey(KIND.content, SERVICE, CONTENT_KEY_ID, STATUS.UNKNOWN_KEY);
    },
  },
  {
    name: 'service keys survive the power, segment and content keys do not',
    from: 'playing',
    async run(tester) {
      await tester.reset();
      await tester.select();
      expect(await tester.keys()).toEqual(['10 7/1']);
      await tester.loadKey(sealContent(), STATUS.UNKNOWN_KEY);
      await tester.loadKey(sealSegment());
      await tester.loadKey(sealContent());
      await tester.open();
      await tester.decode(sealPart(1));
    },
  },
  {
    name: 'the key inside is what the message says, and replacing it replaces it',
    from: 'playing',
    async run(tester) {
      const key = makeFixedKey('another');
      await tester.decode(sealPart(1, { key }), STATUS.CRYPTO);
      await tester.loadKey(sealContent({}, { key }));
      await tester.decode(sealPart(1), STATUS.CRYPTO);
      await tester.decode(sealPart(1, { key }));
    },
  },
];
