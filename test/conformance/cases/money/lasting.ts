import { expect } from 'vitest';
import { encodeCardLimits, NO_LIMITS } from '../../../../apdu/decode-module/card-limits.ts';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { encodePin } from '../../../../apdu/decode-module/pin.ts';
import { LIFE } from '../../../../apdu/decode-module/select-answer.ts';
import { fromHex } from '../../../../apdu/octets.ts';
import { sealPart, sealContent, SECOND_SSRC, sealSegment, sealService, START } from '../../messages/messages.ts';
import { replay } from '../../messages/playing.ts';
import { type Case, type Tester, encodeU32 } from '../../tester.ts';

const PIN = encodePin('2580');
const NONE = new Uint8Array(0);
const FREE = { kind: 'free' } as const;

/** SET SPEND LIMIT, which needs a PIN that is verified. */
async function expectVerified(tester: Tester, status: number = STATUS.DONE): Promise<void> {
  await tester.send(INS.SET_SPEND_LIMIT, new Uint8Array(6).fill(0xff), status);
}

async function selectAnother(tester: Tester, aid: string): Promise<void> {
  await tester.command({ cla: 0, ins: INS.SELECT, p1: 4, p2: 0, data: fromHex(aid), le: 256 }, STATUS.NOT_FOUND);
}

/** Two streams, opened and not yet forgotten, and a verified PIN. */
async function begin(tester: Tester): Promise<void> {
  await tester.storeData(0x8002, PIN, false);
  await tester.send(INS.VERIFY, PIN);
  await tester.decode(sealPart(5));
  await tester.decode(sealPart(3, { ssrc: SECOND_SSRC }));
}

export const lastingCases: readonly Case[] = [
  {
    name: 'SELECT of another AID leaves session, keys, channel, PIN and what was opened; the rest of a list is dropped',
    from: 'playing',
    long: true,
    async run(tester) {
      await begin(tester);
      const keys = await tester.keys();
      for (const aid of ['A000000003000000', 'F0544F4C4C4341535402', 'F0544F4C4C434153540100']) {
        const purse = await tester.purse();
        await selectAnother(tester, aid);
        expect(await tester.purse()).toEqual(purse);
        expect(await tester.keys()).toEqual(keys);
        await tester.inside(INS.GET_PURSE, 0, 0, NONE);
        await expectVerified(tester);
        await tester.decode(sealPart(5));
        await tester.decode(sealPart(3, { ssrc: SECOND_SSRC }));
      }
      for (let number = 2; number <= 12; number++) {
        await tester.loadKey(sealService(number, {}, { service: number + 100 }));
      }
      await tester.send(INS.LIST_KEYS, undefined, 0x6128);
      await selectAnother(tester, 'A000000003000000');
      await tester.command({ cla: 0, ins: INS.GET_RESPONSE, p1: 0, p2: 0, le: 256 }, STATUS.NOT_NOW);
    },
  },
  {
    name: 'SELECT ends session, PIN, channel and what was opened; keys in RAM, marks and highest media time stay',
    from: 'playing',
    async run(tester) {
      await begin(tester);
      await tester.loadKey(sealContent({}, { keyId: 5001, to: START + 100 }));
      await tester.decode(sealPart(6, { contentKeyId: 5001, mediaTime: START + 50 }));
      await tester.decode(sealPart(7, { mediaTime: START + 100 }));
      const keys = await tester.keys();
      await tester.select();
      expect(await tester.purse()).toMatchObject({ taken: 0n, service: 0, receiptsWritten: 1 });
      expect(await tester.keys()).toEqual(keys);
      await expectVerified(tester, STATUS.SECURITY);
      await tester.raw(fromHex('84400000'), STATUS.NOT_NOW);
      await tester.open();
      await tester.decode(sealPart(7), STATUS.OLD_GROUP);
      await tester.decode(sealPart(3, { ssrc: SECOND_SSRC }), STATUS.OLD_GROUP);
      // 5001 has ended by the highest media time, so a third key takes its place.
      await tester.loadKey(sealContent({}, { keyId: 5002 }));
      expect(await tester.keys()).toEqual(['10 7/1', '11 7/100', '12 7/5000', '12 7/5002']);
    },
  },
  {
    name: 'SET STATUS changes the life state alone: session, keys, marks and PIN are there again',
    from: 'playing',
    async run(tester) {
      await begin(tester);
      const purse = await tester.purse();
      const keys = await tester.keys();
      await tester.setStatus(LIFE.blocked);
      await tester.decode(sealPart(5), STATUS.NOT_NOW);
      await expectVerified(tester, STATUS.NOT_NOW);
      expect(await tester.purse()).toEqual(purse);
      expect(await tester.keys()).toEqual(keys);
      await tester.setStatus(LIFE.active);
      await expectVerified(tester);
      await tester.decode(sealPart(5));
      await tester.decode(sealPart(3, { ssrc: SECOND_SSRC }));
      await tester.decode(sealPart(4), STATUS.OLD_GROUP);
      await tester.decode(sealPart(6));
      await tester.setStatus(LIFE.blocked);
      expect(await tester.closeSession()).toMatchObject({ groups: 3, reason: 'closed' });
    },
  },
  {
    name: 'marks are those of RAM until a reset, which brings back those of the record',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealContent(FREE));
      await tester.decode(sealPart(9));
      await tester.closeSession();
      await tester.open();
      await tester.decode(sealPart(9), STATUS.OLD_GROUP);
      await tester.open(8);
      await tester.select();
      await tester.open();
      await tester.decode(sealPart(9), STATUS.OLD_GROUP);
      // Written with the first record that is: as they were before this group.
      await tester.loadKey(sealContent());
      await tester.decode(sealPart(20));
      await tester.reset();
      await replay(tester, FREE);
      await tester.decode(sealPart(9), STATUS.OLD_GROUP);
      await tester.decode(sealPart(10));
      await tester.decode(sealPart(30));
      // No record: what a session of free groups leaves is gone with the power.
      await tester.closeSession();
      await tester.reset();
      await replay(tester, FREE);
      await tester.decode(sealPart(9), STATUS.OLD_GROUP);
      await tester.decode(sealPart(10));
    },
  },
  {
    name: 'a load or a limit writes the marks as the record has them',
    from: 'playing',
    async run(tester) {
      await begin(tester);
      await expectVerified(tester);
      await tester.reset();
      await tester.select();
      await tester.loadKey(sealSegment());
      await tester.loadKey(sealContent());
      await tester.open();
      await tester.decode(sealPart(1));
    },
  },
  {
    name: 'an OPEN that is refused leaves session and what was opened',
    from: 'playing',
    async run(tester) {
      await begin(tester);
      await tester.open(0, STATUS.BAD_FIELD);
      await tester.decode(sealPart(5));
      await tester.decode(sealPart(3, { ssrc: SECOND_SSRC }));
      await tester.storeData(0x0002, encodeCardLimits({ ...NO_LIMITS, pinForSessions: true }), false);
      await tester.send(INS.VERIFY, encodePin('9999'), 0x63c2);
      for (const service of [7, 8]) await tester.send(INS.OPEN_SESSION, encodeU32(service), STATUS.SECURITY);
      await tester.decode(sealPart(5));
      expect((await tester.purse()).service).toBe(7);
    },
  },
];
