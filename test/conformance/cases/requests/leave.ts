import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { parseKeyList } from '../../../../apdu/decode-module/keys/key-list.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { type LeaveRecord, openLeaveRecord } from '../../../../apdu/decode-module/requests/leave-record.ts';
import { concat } from '../../../../apdu/octets.ts';
import {
  CARD_ID,
  CARD_KEYS,
  sealPart,
  sealContent,
  END,
  sealSegment,
  SERVICE,
  SERVICE_KEY_ID,
  sealService,
  START,
  makeFixedKey,
} from '../../messages/messages.ts';
import {
  SEED_PURCHASE_ID,
  sealSeedParts,
  SEGMENT_PURCHASE_ID,
  sealSegmentPurchase,
  sealTreeLeaf,
  sealUnderSlot,
} from '../../messages/purchase-messages.ts';
import { type Case, type Tester, encodeU32 } from '../../tester.ts';

const UPLINK = CARD_KEYS.uplink;
const MIDDLE = START + 1000;

export async function leave(tester: Tester, keyId: number, to: number, service = SERVICE): Promise<LeaveRecord> {
  return openLeaveRecord(
    await tester.send(INS.LEAVE, concat(encodeU32(service), encodeU32(keyId), encodeU32(to))),
    UPLINK,
  );
}

async function endsOn(tester: Tester): Promise<Record<string, number>> {
  const list = parseKeyList(await tester.send(INS.LIST_KEYS));
  return Object.fromEntries(list.map(({ kind, keyId, to }) => [`${kind.toString(16)} ${keyId}`, to]));
}

export const leaveCases: readonly Case[] = [
  {
    name: 'a leave lowers the end of a purchase and all below it, and says so under the uplink key',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealContent({}, { keyId: 5001, from: MIDDLE }));
      const record = await leave(tester, SERVICE_KEY_ID, MIDDLE);
      expect(record).toEqual({ cardId: CARD_ID, service: SERVICE, keyId: SERVICE_KEY_ID, number: 1, to: MIDDLE });
      expect(await endsOn(tester)).toEqual({ '10 1': MIDDLE, '11 100': MIDDLE, '12 5000': MIDDLE });
      await tester.decode(sealPart(1, { mediaTime: MIDDLE - 1 }));
      await tester.decode(sealPart(2, { mediaTime: MIDDLE }), STATUS.OUTSIDE_VALIDITY);
      expect(await leave(tester, SERVICE_KEY_ID, MIDDLE)).toEqual(record);
      await tester.send(
        INS.LEAVE,
        concat(encodeU32(SERVICE), encodeU32(SERVICE_KEY_ID), encodeU32(MIDDLE + 1)),
        STATUS.BAD_FIELD,
      );
      await tester.send(
        INS.LEAVE,
        concat(encodeU32(SERVICE), encodeU32(SERVICE_KEY_ID + 1), encodeU32(MIDDLE)),
        STATUS.UNKNOWN_KEY,
      );
      await tester.send(
        INS.LEAVE,
        concat(encodeU32(SERVICE + 1), encodeU32(SERVICE_KEY_ID), encodeU32(MIDDLE)),
        STATUS.UNKNOWN_KEY,
      );
      expect((await leave(tester, SERVICE_KEY_ID, 0)).to).toBe(START);
      expect(await endsOn(tester)).toEqual({ '10 1': START });
      await tester.loadKey(sealSegment(), STATUS.OUTSIDE_VALIDITY);
    },
  },
  {
    name: 'a leave makes nothing last longer that ends before it anyhow',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealContent({}, { keyId: 5001, to: START + 10 }));
      await leave(tester, SERVICE_KEY_ID, MIDDLE);
      expect(await endsOn(tester)).toMatchObject({ '11 100': MIDDLE, '12 5000': MIDDLE, '12 5001': START + 10 });
      await tester.decode(sealPart(1, { contentKeyId: 5001, mediaTime: START + 10 }), STATUS.OUTSIDE_VALIDITY);
      await tester.decode(sealPart(1, { contentKeyId: 5001, mediaTime: START + 9 }));
    },
  },
  {
    name: 'after a leave the purchase message brings nothing back, deleted or not; a new one does',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealSegmentPurchase(2));
      await leave(tester, SERVICE_KEY_ID, MIDDLE);
      await leave(tester, SEGMENT_PURCHASE_ID, MIDDLE);
      for (const message of [sealService(1), sealSegmentPurchase(2)]) await tester.loadKey(message, STATUS.OLD_NUMBER);
      await tester.deleteKey(KIND.service, SERVICE, SERVICE_KEY_ID);
      await tester.deleteKey(KIND.segment, SERVICE, SEGMENT_PURCHASE_ID);
      for (const message of [sealService(1), sealSegmentPurchase(2)]) await tester.loadKey(message, STATUS.OLD_NUMBER);
      await tester.reset();
      await tester.select();
      for (const message of [sealService(1), sealSegmentPurchase(2)]) await tester.loadKey(message, STATUS.OLD_NUMBER);
      await tester.loadKey(sealService(3));
      expect(await endsOn(tester)).toEqual({ '10 1': END });
    },
  },
  {
    name: 'a leave takes the numbers of the seed parts that never came',
    from: 'active',
    long: true,
    async run(tester) {
      // 38 nodes at most: this range takes 27, in 4 parts.
      const parts = sealSeedParts(50, 1, 2 ** 14 - 1);
      expect(parts).toHaveLength(4);
      await tester.loadKey(parts[2]!);
      const record = await leave(tester, SEED_PURCHASE_ID, MIDDLE);
      expect(record).toEqual({ cardId: CARD_ID, service: SERVICE, keyId: SEED_PURCHASE_ID, number: 50, to: MIDDLE });
      for (const part of parts) await tester.loadKey(part, STATUS.OLD_NUMBER);
      await tester.deleteKey(KIND.seeds, SERVICE, SEED_PURCHASE_ID);
      for (const part of parts) await tester.loadKey(part, STATUS.OLD_NUMBER);
      await tester.loadKey(sealService(54));
    },
  },
  {
    name: 'a leave of a seed purchase that was all there shortens its content',
    from: 'active',
    long: true,
    async run(tester) {
      await tester.loadKey(sealSeedParts(1, 0, 16)[0]!);
      await tester.loadKey(sealUnderSlot(3, {}, { kind: 'free' }));
      await tester.open();
      await leave(tester, SEED_PURCHASE_ID, MIDDLE);
      expect(await endsOn(tester)).toEqual({ [`14 ${SEED_PURCHASE_ID}`]: MIDDLE, '12 5000': MIDDLE });
      await tester.decode(sealPart(1, { mediaTime: MIDDLE - 1 }));
      await tester.decode(sealPart(2, { mediaTime: MIDDLE }), STATUS.OUTSIDE_VALIDITY);
      await tester.loadKey(sealUnderSlot(3, { from: MIDDLE }, { kind: 'free' }), STATUS.OUTSIDE_VALIDITY);
    },
  },
  {
    name: 'after a leave 31 messages that are issued anew are taken in any order',
    from: 'playing',
    async run(tester) {
      await leave(tester, SERVICE_KEY_ID, MIDDLE);
      const numbers = Array.from({ length: 31 }, (_, i) => 32 - i);
      for (const number of numbers) {
        const message =
          number > 16
            ? sealTreeLeaf(number, { leaf: number, key: makeFixedKey('leaf') })
            : sealService(number, {}, { keyId: number });
        await tester.loadKey(message);
        await tester.loadKey(message);
      }
      await tester.loadKey(sealService(1), STATUS.OLD_NUMBER);
    },
  },
  {
    name: 'LEAVE of another length, and either command on a blank card',
    from: 'blank',
    async run(tester) {
      await tester.send(INS.LEAVE, new Uint8Array(11), STATUS.WRONG_LENGTH);
      await tester.send(INS.LEAVE, new Uint8Array(13), STATUS.WRONG_LENGTH);
      await tester.send(INS.LEAVE, new Uint8Array(12), STATUS.NOT_NOW);
      const data = new Uint8Array(40);
      await tester.command({ cla: 0x80, ins: INS.SIGN_REQUEST, p1: 0, p2: 0x43, data, le: 256 }, STATUS.NOT_NOW);
    },
  },
];
