import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { parseSelectAnswer } from '../../../../apdu/decode-module/select-answer.ts';
import { fromHex, toHex } from '../../../../apdu/octets.ts';
import { CARD_ID, KEYS, PROFILE, sealPart, sealSegment, sealService } from '../../messages/messages.ts';
import { type Case, type Tester, encodeU32 } from '../../tester.ts';

/** Commands of the module with data of a length that is allowed. */
const DATA: ReadonlyArray<readonly [name: string, ins: number, data: Uint8Array]> = [
  ['OPEN SESSION', INS.OPEN_SESSION, encodeU32(7)],
  ['CLOSE SESSION', INS.CLOSE_SESSION, new Uint8Array(0)],
  ['LOAD KEY', INS.LOAD_KEY, new Uint8Array(56)],
  ['DELETE KEY', INS.DELETE_KEY, new Uint8Array(9)],
  ['LIST KEYS', INS.LIST_KEYS, new Uint8Array(0)],
  ['DECODE', INS.DECODE, new Uint8Array(56)],
  ['VERIFY', INS.VERIFY, new Uint8Array(8)],
  ['CHANGE PIN', INS.CHANGE_PIN, new Uint8Array(16)],
  ['SET SPEND LIMIT', INS.SET_SPEND_LIMIT, new Uint8Array(6)],
  ['LEAVE', INS.LEAVE, new Uint8Array(12)],
  ['GET PURSE', INS.GET_PURSE, new Uint8Array(0)],
  ['LOAD CREDIT, start', INS.START_LOAD, new Uint8Array(0)],
  ['LOAD CREDIT', INS.LOAD_CREDIT, new Uint8Array(64)],
  ['GET RECEIPT', INS.GET_RECEIPT, encodeU32(1)],
  ['ACKNOWLEDGE RECEIPTS', INS.ACKNOWLEDGE_RECEIPTS, new Uint8Array(32)],
];

const RESERVED = [0x2c];

async function purseWorks(tester: Tester): Promise<void> {
  await tester.send(INS.GET_PURSE);
}

export const commandCases: readonly Case[] = [
  {
    name: 'SELECT answers 51 octets, zeros for a blank card',
    from: 'blank',
    long: true,
    async run(tester) {
      const answer = await tester.select();
      expect(toHex(answer)).toBe(
        '6f31840af0544f4c4c4341535401a52380020001810800000000000000008201008304000003ff840200d0850200ff86020000',
      );
    },
  },
  {
    name: 'SELECT shows life, card id and currency as they come',
    from: 'blank',
    long: true,
    async run(tester) {
      await tester.storeData(0x8001, KEYS, false);
      expect(parseSelectAnswer(await tester.select())).toMatchObject({ life: 'blank', currency: 0 });
      await tester.storeData(0x0001, PROFILE, false);
      expect(parseSelectAnswer(await tester.select())).toMatchObject({ life: 'blank', currency: 840 });
      await tester.activate(0x8001, KEYS);
      const answer = parseSelectAnswer(await tester.select());
      expect(answer).toMatchObject({ version: 1, life: 'active', capabilities: 0x3ff, maxSpan: 208, currency: 840 });
      expect(answer.cardId).toEqual(CARD_ID);
    },
  },
  {
    name: 'before SELECT nothing else is answered',
    from: 'active',
    platform: true,
    async run(tester) {
      await tester.reset();
      for (const command of ['80400000', '00400000', '84400000', 'ff400000', '80770000', '84820100', '00c00000']) {
        await tester.raw(fromHex(command), STATUS.NOT_SELECTED);
      }
      // Whether the octets agree with their own Lc is looked at before, extended length after.
      await tester.raw(fromHex('80300000 05 0000'), STATUS.WRONG_LENGTH);
      await tester.raw(fromHex('80300000 000004 00000007'), STATUS.NOT_SELECTED);
      await tester.command(
        { cla: 0, ins: 0xa4, p1: 4, p2: 0, data: fromHex('A000000003000000'), le: 256 },
        STATUS.NOT_FOUND,
      );
      await tester.send(INS.GET_PURSE, undefined, STATUS.NOT_SELECTED);
      await tester.select();
      await purseWorks(tester);
    },
  },
  {
    name: 'a class that is not the instruction’s: 6E00',
    from: 'active',
    platform: true,
    async run(tester) {
      for (const [, ins, data] of DATA) {
        for (const cla of [0x00, 0x91, 0x90, 0xa0])
          await tester.command({ cla, ins, p1: 0, p2: 0, data }, STATUS.UNKNOWN_CLASS);
      }
      await tester.command(
        { cla: 0x80, ins: INS.SELECT, p1: 4, p2: 0, data: new Uint8Array(10) },
        STATUS.UNKNOWN_CLASS,
      );
      await tester.command({ cla: 0x80, ins: INS.GET_RESPONSE, p1: 0, p2: 0 }, STATUS.UNKNOWN_CLASS);
      await tester.command({ cla: 0x00, ins: 0xfe, p1: 0, p2: 0 }, STATUS.UNKNOWN_CLASS);
      await tester.command({ cla: 0x00, ins: INS.STORE_DATA, p1: 0, p2: 0 }, STATUS.UNKNOWN_CLASS);
    },
  },
  {
    name: 'an unknown or reserved instruction: 6D00',
    from: 'active',
    async run(tester) {
      for (const ins of [0x00, 0x31, 0x3b, 0xfe, ...RESERVED])
        await tester.command({ cla: 0x80, ins, p1: 0, p2: 0 }, STATUS.UNKNOWN_INSTRUCTION);
    },
  },
  {
    name: 'P1 P2 that are not the instruction’s: 6A86',
    from: 'active',
    async run(tester) {
      for (const [, ins, data] of DATA) {
        if (ins !== INS.DECODE) await tester.command({ cla: 0x80, ins, p1: 1, p2: 0, data }, STATUS.WRONG_PARAMETERS);
        await tester.command({ cla: 0x80, ins, p1: 0, p2: 1, data }, STATUS.WRONG_PARAMETERS);
        await tester.command({ cla: 0x80, ins, p1: 0x80, p2: 0xff, data }, STATUS.WRONG_PARAMETERS);
      }
      await tester.command(
        { cla: 0x80, ins: INS.DECODE, p1: 1, p2: 1, data: new Uint8Array(28) },
        STATUS.WRONG_PARAMETERS,
      );
      await tester.command(
        { cla: 0x80, ins: INS.DECODE, p1: 2, p2: 0, data: new Uint8Array(28) },
        STATUS.WRONG_PARAMETERS,
      );
      for (const [p1, p2] of [
        [0, 0],
        [0, 0x42],
        [0, 0x46],
        [0, 0x49],
        [1, 0x43],
      ] as const) {
        await tester.command(
          { cla: 0x80, ins: INS.SIGN_REQUEST, p1, p2, data: new Uint8Array(40) },
          STATUS.WRONG_PARAMETERS,
        );
      }
      for (const [p1, p2] of [
        [0, 64],
        [0, 0xff],
        [1, 0],
      ] as const) {
        await tester.command({ cla: 0x80, ins: INS.GET_LOG, p1, p2 }, STATUS.WRONG_PARAMETERS);
      }
      await tester.command(
        { cla: 0x00, ins: INS.SELECT, p1: 0, p2: 0, data: new Uint8Array(10) },
        STATUS.WRONG_PARAMETERS,
      );
      await tester.command(
        { cla: 0x00, ins: INS.SELECT, p1: 4, p2: 1, data: new Uint8Array(10) },
        STATUS.WRONG_PARAMETERS,
      );
      await tester.command({ cla: 0x00, ins: INS.GET_RESPONSE, p1: 0, p2: 1 }, STATUS.WRONG_PARAMETERS);
      for (const p1 of [1, 0x40, 0x81]) {
        await tester.inside(INS.STORE_DATA, p1, 0, new Uint8Array(27), STATUS.WRONG_PARAMETERS);
      }
    },
  },
  {
    name: 'lengths that the table does not allow: 6700',
    from: 'active',
    async run(tester) {
      const allowed: Record<number, readonly number[]> = {
        [INS.OPEN_SESSION]: [4],
        [INS.DELETE_KEY]: [9],
        [INS.LOAD_CREDIT]: [64],
        [INS.ACKNOWLEDGE_RECEIPTS]: [32],
        [INS.VERIFY]: [8],
        [INS.CHANGE_PIN]: [16],
        [INS.SET_SPEND_LIMIT]: [6],
        [INS.LEAVE]: [12],
      };
      for (const [ins, lengths] of Object.entries(allowed)) {
        for (const length of [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 15, 16, 17, 31, 32, 33, 63, 64, 65, 112, 255]) {
          if (!lengths.includes(length)) await tester.send(Number(ins), new Uint8Array(length), STATUS.WRONG_LENGTH);
        }
      }
    },
  },
  {
    name: 'a plain command that takes no data: neither Le nor data change its answer',
    from: 'active',
    async run(tester) {
      const plain = [INS.CLOSE_SESSION, INS.LIST_KEYS, INS.GET_PURSE, INS.START_LOAD, INS.GET_LOG];
      const commands = [
        ...plain.map((ins) => ({ cla: 0x80, ins, p1: 0, p2: 0 })),
        { cla: 0x80, ins: INS.GET_DATA, p1: 1, p2: 3 },
      ];
      for (const command of commands) {
        const answer = await tester.command(command);
        for (const le of [1, 4, 16, 112, 128, 255, 256])
          expect(await tester.command({ ...command, le })).toEqual(answer);
        for (const length of [1, 4, 127]) {
          const data = new Uint8Array(length);
          expect(await tester.command({ ...command, data })).toEqual(answer);
          expect(await tester.command({ ...command, data, le: 256 })).toEqual(answer);
        }
      }
      for (const le of [1, 8, 255]) {
        await tester.command({ cla: 0x80, ins: 0x77, p1: 0, p2: 0, le }, STATUS.UNKNOWN_INSTRUCTION);
        await tester.command({ cla: 0x80, ins: INS.SET_STATUS, p1: 0x40, p2: 3, le }, STATUS.SECURITY);
        await tester.command({ cla: 0, ins: INS.GET_RESPONSE, p1: 0, p2: 0, le }, STATUS.NOT_NOW);
      }
      await purseWorks(tester);
    },
  },
  {
    name: 'GET RECEIPT: octet 5 of 04 comes before a number, any other is Le, or has data that are not looked at',
    from: 'playing',
    async run(tester) {
      await tester.decode(sealPart(1));
      await tester.closeSession();
      const command = { cla: 0x80, ins: INS.GET_RECEIPT, p1: 0, p2: 0 };
      const oldest = await tester.command(command);
      for (const le of [1, 3, 5, 112, 255, 256]) expect(await tester.command({ ...command, le })).toEqual(oldest);
      for (const length of [1, 3, 5, 112, 127]) {
        expect(await tester.command({ ...command, data: new Uint8Array(length), le: 256 })).toEqual(oldest);
      }
      await tester.command({ ...command, data: encodeU32(2) }, STATUS.NOT_FOUND);
      expect(await tester.command({ ...command, data: encodeU32(1) })).toEqual(oldest);
    },
  },
  {
    name: 'a command that is not what its length fields say, or has extended ones: 6700',
    from: 'active',
    platform: true,
    async run(tester) {
      await tester.raw(fromHex('80300000 05 00000007'), STATUS.WRONG_LENGTH);
      await tester.raw(fromHex('80300000 02 0000000700'), STATUS.WRONG_LENGTH);
      await tester.raw(fromHex('80400000 0000'), STATUS.WRONG_LENGTH);
      await tester.raw(fromHex('80400000 000000'), STATUS.WRONG_LENGTH);
      await tester.raw(fromHex('80300000 000004 00000007'), STATUS.WRONG_LENGTH);
      await tester.raw(fromHex('803A0000 000101' + '00'.repeat(257)), STATUS.WRONG_LENGTH);
      await purseWorks(tester);
    },
  },
  {
    name: 'a blank card knows STORE DATA and SELECT alone',
    from: 'blank',
    async run(tester) {
      for (const [, ins, data] of DATA) await tester.send(ins, data, STATUS.NOT_NOW);
    },
  },
  {
    name: 'a card that is being personalised knows none of the commands of a holder',
    from: 'blank',
    async run(tester) {
      await tester.storeData(0x0001, PROFILE, false);
      for (const [, ins, data] of DATA) await tester.send(ins, data, STATUS.NOT_NOW);
    },
  },
  {
    name: 'an active card no longer takes profile and keys, nor data groups that nobody knows',
    from: 'active',
    async run(tester) {
      await tester.storeData(0x0001, PROFILE, false, STATUS.NOT_NOW);
      await tester.storeData(0x8001, KEYS, true, STATUS.NOT_NOW);
      await tester.storeData(0x4711, new Uint8Array(0), false, STATUS.BAD_FIELD);
    },
  },
  {
    name: 'class before instruction before P1 P2 before length before life state',
    from: 'blank',
    async run(tester) {
      const wrong = new Uint8Array(3);
      await tester.command({ cla: 0x00, ins: 0x31, p1: 1, p2: 1, data: wrong }, STATUS.UNKNOWN_CLASS);
      await tester.command({ cla: 0x80, ins: 0x31, p1: 1, p2: 1, data: wrong }, STATUS.UNKNOWN_INSTRUCTION);
      await tester.command({ cla: 0x00, ins: INS.OPEN_SESSION, p1: 1, p2: 1, data: wrong }, STATUS.UNKNOWN_CLASS);
      await tester.command({ cla: 0x80, ins: INS.OPEN_SESSION, p1: 1, p2: 1, data: wrong }, STATUS.WRONG_PARAMETERS);
      await tester.command({ cla: 0x80, ins: INS.OPEN_SESSION, p1: 0, p2: 0, data: wrong }, STATUS.WRONG_LENGTH);
      await tester.command({ cla: 0x80, ins: INS.OPEN_SESSION, p1: 0, p2: 0, data: encodeU32(0) }, STATUS.NOT_NOW);
      // These two look at their length themselves, after the life state.
      await tester.send(INS.LOAD_KEY, undefined, STATUS.NOT_NOW);
      await tester.send(INS.DECODE, undefined, STATUS.NOT_NOW);
    },
  },
  {
    name: 'Le absent changes nothing',
    from: 'playing',
    async run(tester) {
      for (const ins of [INS.GET_PURSE, INS.START_LOAD, INS.LIST_KEYS]) {
        const without = await tester.command({ cla: 0x80, ins, p1: 0, p2: 0 });
        expect(await tester.send(ins)).toEqual(without);
      }
    },
  },
  {
    name: 'a list of over 240 octets goes on with GET RESPONSE, until another command',
    from: 'active',
    long: true,
    async run(tester) {
      for (let number = 1; number <= 13; number++) await tester.loadKey(sealService(number, {}, { service: number }));
      const first = await tester.send(INS.LIST_KEYS, undefined, 0x6114);
      expect(first).toHaveLength(240);
      await tester.command({ cla: 0, ins: 0xc0, p1: 1, p2: 0, le: 20 }, STATUS.WRONG_PARAMETERS);
      expect(await tester.command({ cla: 0, ins: 0xc0, p1: 0, p2: 0, le: 20 })).toHaveLength(20);
      await tester.command({ cla: 0, ins: 0xc0, p1: 0, p2: 0, le: 20 }, STATUS.NOT_NOW);
      for (let number = 14; number <= 16; number++) await tester.loadKey(sealService(number, {}, { service: number }));
      for (let id = 1; id <= 4; id++) await tester.loadKey(sealSegment({ service: 1, keyId: id }));
      await tester.send(INS.LIST_KEYS, undefined, 0x61a0);
      await tester.command({ cla: 0x80, ins: 0xfe, p1: 0, p2: 0 }, STATUS.UNKNOWN_INSTRUCTION);
      await tester.command({ cla: 0, ins: 0xc0, p1: 0, p2: 0, le: 256 }, STATUS.NOT_NOW);
      await tester.send(INS.LIST_KEYS, undefined, 0x61a0);
      expect(await tester.command({ cla: 0, ins: 0xc0, p1: 0, p2: 0, le: 256 })).toHaveLength(160);
    },
  },
  {
    name: 'what does not agree with its Lc, is extended, or is a GET RESPONSE with wrong parameters leaves the rest; all else drops it',
    from: 'active',
    platform: true,
    long: true,
    async run(tester) {
      for (let number = 1; number <= 13; number++) await tester.loadKey(sealService(number, {}, { service: number }));
      const rest = fromHex('00c0000000');
      for (const [command, status] of [
        ['80300000 05 0000', STATUS.WRONG_LENGTH],
        ['80300000 000004 00000007', STATUS.WRONG_LENGTH],
        ['84300000 05 0000', STATUS.WRONG_LENGTH],
        ['00c00000 0000', STATUS.WRONG_LENGTH],
        ['00c00100', STATUS.WRONG_PARAMETERS],
      ] as const) {
        await tester.send(INS.LIST_KEYS, undefined, 0x6114);
        await tester.raw(fromHex(command), status);
        expect(await tester.raw(rest, STATUS.DONE)).toHaveLength(20);
      }
      for (const [command, status] of [
        ['80c00000', STATUS.UNKNOWN_CLASS],
        ['84c00000', STATUS.UNKNOWN_CLASS],
        ['00b00000', STATUS.UNKNOWN_CLASS],
        ['80770000', STATUS.UNKNOWN_INSTRUCTION],
        ['84380000', STATUS.CRYPTO],
        ['84380000', STATUS.NOT_NOW],
        ['00a40000', STATUS.WRONG_PARAMETERS],
        ['80380001', STATUS.WRONG_PARAMETERS],
      ] as const) {
        await tester.send(INS.LIST_KEYS, undefined, 0x6114);
        await tester.raw(fromHex(command), status);
        await tester.raw(rest, STATUS.NOT_NOW);
      }
    },
  },
  {
    name: 'GET RESPONSE with nothing waiting: 6985',
    from: 'active',
    async run(tester) {
      await tester.command({ cla: 0, ins: 0xc0, p1: 0, p2: 0, le: 256 }, STATUS.NOT_NOW);
      await tester.send(INS.LIST_KEYS);
      await tester.command({ cla: 0, ins: 0xc0, p1: 0, p2: 0, le: 256 }, STATUS.NOT_NOW);
    },
  },
];
