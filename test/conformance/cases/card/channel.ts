import { expect } from 'vitest';
import { encodeCardLimits, NO_LIMITS } from '../../../../apdu/decode-module/card-limits.ts';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { parseLogRecord } from '../../../../apdu/decode-module/money/log-record.ts';
import { encodePin } from '../../../../apdu/decode-module/pin.ts';
import { LIFE, parseSelectAnswer } from '../../../../apdu/decode-module/select-answer.ts';
import { concat, fromHex } from '../../../../apdu/octets.ts';
import { encodePutKey } from '../../../../apdu/secure-channel/put-key.ts';
import type { ChannelKeySet } from '../../../../apdu/secure-channel/scp03-keys.ts';
import { TEST_KEY_SET } from '../../../../apdu/secure-channel/test-key-set.ts';
import {
  signAcknowledgementUpTo,
  sealPart,
  sealContent,
  makeFixedKey,
  KEYS,
  signOrder,
  PROFILE,
  sealSegment,
  sealService,
} from '../../messages/messages.ts';
import { type Case, type Tester, encodeU32 } from '../../tester.ts';

const { active, blocked, terminated } = LIFE;
const NONE = new Uint8Array(0);
const PIN = encodePin('2580');
const CHALLENGE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const OWN: ChannelKeySet = {
  version: 0x10,
  enc: makeFixedKey('enc'),
  mac: makeFixedKey('mac'),
  dek: makeFixedKey('dek'),
};

async function lifeOf(tester: Tester): Promise<string> {
  return parseSelectAnswer(await tester.select()).life;
}

function group(dgi: number, value: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(dgi >>> 8, dgi, value.length), value);
}

/** Of the commands of a card in use: what each answers in a state. */
async function expectStates(tester: Tester, inUse: number, kept: number, load: number): Promise<void> {
  await tester.send(INS.OPEN_SESSION, encodeU32(7), inUse);
  await tester.send(INS.LOAD_CREDIT, signOrder(1, 1n), inUse);
  await tester.send(INS.LOAD_KEY, sealService(90), inUse);
  await tester.send(INS.VERIFY, PIN, inUse === STATUS.DONE ? STATUS.UNKNOWN_KEY : inUse);
  await tester.send(INS.SET_SPEND_LIMIT, new Uint8Array(6), inUse === STATUS.DONE ? STATUS.SECURITY : inUse);
  await tester.send(INS.START_LOAD, NONE, load);
  await tester.send(INS.GET_PURSE, NONE, kept);
  await tester.send(INS.LIST_KEYS, NONE, kept);
  await tester.send(INS.CLOSE_SESSION, NONE, kept);
  await tester.send(INS.GET_LOG, NONE, kept);
  await tester.send(INS.GET_RECEIPT, NONE, kept === STATUS.DONE ? STATUS.NOT_FOUND : kept);
  await tester.send(INS.ACKNOWLEDGE_RECEIPTS, signAcknowledgementUpTo(0), kept);
  await tester.command({ cla: 0x80, ins: INS.GET_DATA, p1: 1, p2: 3, le: 256 });
}

export const channelCases: readonly Case[] = [
  {
    name: 'from blank to terminated: what each state allows',
    from: 'blank',
    async run(tester) {
      await expectStates(tester, STATUS.NOT_NOW, STATUS.NOT_NOW, STATUS.NOT_NOW);
      await tester.storeData(0x0001, PROFILE, false);
      expect(await lifeOf(tester)).toBe('blank');
      for (const state of [active, blocked]) await tester.setStatus(state, STATUS.NOT_NOW);
      await tester.storeData(0x8001, KEYS, true);
      expect(await lifeOf(tester)).toBe('personalised');
      await expectStates(tester, STATUS.NOT_NOW, STATUS.NOT_NOW, STATUS.NOT_NOW);
      await tester.setStatus(blocked, STATUS.NOT_NOW);
      await tester.setStatus(active);
      await tester.setStatus(active);
      await expectStates(tester, STATUS.DONE, STATUS.DONE, STATUS.DONE);
      await tester.setStatus(blocked);
      expect(await lifeOf(tester)).toBe('blocked');
      await expectStates(tester, STATUS.NOT_NOW, STATUS.DONE, STATUS.DONE);
      await tester.storeData(0x0002, encodeCardLimits(NO_LIMITS), false, STATUS.NOT_NOW);
      await tester.setStatus(active);
      expect(await lifeOf(tester)).toBe('active');
      await tester.setStatus(blocked);
      await tester.setStatus(terminated);
      await tester.setStatus(terminated);
      await tester.setStatus(active, STATUS.NOT_NOW);
      await tester.inside(INS.PUT_KEY, 0, 0x81, encodePutKey(OWN, TEST_KEY_SET.dek), STATUS.NOT_NOW);
      expect(await lifeOf(tester)).toBe('terminated');
      await expectStates(tester, STATUS.NOT_NOW, STATUS.DONE, STATUS.NOT_NOW);
      await tester.command(
        { cla: 0x80, ins: INS.INITIALIZE_UPDATE, p1: 0, p2: 0, data: CHALLENGE, le: 256 },
        STATUS.NOT_NOW,
      );
    },
  },
  {
    name: 'terminated before it was personalised: there is no purse to show',
    from: 'blank',
    async run(tester) {
      await tester.storeData(0x0001, PROFILE, false);
      await tester.setStatus(terminated);
      expect(await lifeOf(tester)).toBe('terminated');
      await expectStates(tester, STATUS.NOT_NOW, STATUS.NOT_NOW, STATUS.NOT_NOW);
    },
  },
  {
    name: 'what needs the channel: 6982 without it, before P1 P2; what is secret needs C-ENC',
    from: 'blank',
    async run(tester) {
      const needing: [number, number, number, Uint8Array][] = [
        [INS.STORE_DATA, 0, 0, group(0x0001, PROFILE)],
        [INS.STORE_DATA, 7, 0, NONE],
        [INS.SET_STATUS, 0x40, active, NONE],
        [INS.SET_STATUS, 1, 1, CHALLENGE],
        [INS.PUT_KEY, 0, 0x81, encodePutKey(OWN, TEST_KEY_SET.dek)],
        [INS.PUT_KEY, 9, 9, NONE],
      ];
      const plain = async (): Promise<void> => {
        for (const [ins, p1, p2, data] of needing)
          await tester.command({ cla: 0x80, ins, p1, p2, data }, STATUS.SECURITY);
      };
      await plain();
      await tester.secure(0x13);
      await plain();
      await tester.inside(INS.STORE_DATA, 7, 0, NONE, STATUS.WRONG_PARAMETERS);
      await tester.inside(INS.STORE_DATA, 0, 0, Uint8Array.of(0, 1), STATUS.WRONG_LENGTH);
      await tester.inside(INS.SET_STATUS, 0x40, 1, NONE, STATUS.WRONG_PARAMETERS);
      await tester.inside(INS.SET_STATUS, 0, terminated, NONE, STATUS.WRONG_PARAMETERS);
      await tester.inside(INS.SET_STATUS, 0x40, terminated, CHALLENGE, STATUS.WRONG_LENGTH);
      await tester.inside(INS.PUT_KEY, 0, 0x82, encodePutKey(OWN, TEST_KEY_SET.dek), STATUS.WRONG_PARAMETERS);
      await tester.secure(0x11);
      await tester.storeData(0x0001, PROFILE, false);
      await tester.storeData(0x8001, KEYS, true, STATUS.SECURITY);
      await tester.storeData(0x8002, PIN, false, STATUS.SECURITY);
      await tester.storeData(0xffff, NONE, false, STATUS.SECURITY);
      await tester.inside(INS.PUT_KEY, 0, 0x81, encodePutKey(OWN, TEST_KEY_SET.dek), STATUS.SECURITY);
      await tester.secure(0x03);
      await tester.storeData(0x8001, KEYS, true);
    },
  },
  {
    name: 'after personalisation: limits, verification keys and PIN, each by itself; never another card or other keys',
    from: 'playing',
    async run(tester) {
      await tester.storeData(0x0001, PROFILE, false, STATUS.NOT_NOW);
      await tester.storeData(0x8001, KEYS, true, STATUS.NOT_NOW);
      await tester.storeData(0x0002, NONE, false, STATUS.BAD_FIELD);
      await tester.storeData(0x0002, encodeCardLimits({ ...NO_LIMITS, spendLimit: 5n, ratingLimit: 6 }), true);
      const record = await tester.send(INS.GET_LOG);
      expect(parseLogRecord(record)).toMatchObject({ sequence: 3, spendLimit: 5n });
      await tester.decode(sealPart(1), STATUS.SPEND_LIMIT);
      await tester.storeData(0x8002, PIN, false);
      await tester.send(INS.VERIFY, PIN);
      for (const left of [2, 1, 0]) await tester.send(INS.VERIFY, encodePin('9999'), 0x63c0 | left);
      await tester.send(INS.VERIFY, PIN, STATUS.PIN_BLOCKED);
      await tester.storeData(0x8002, encodePin('1234'), true);
      await tester.send(INS.VERIFY, encodePin('1234'));
      expect(await lifeOf(tester)).toBe('active');
    },
  },
  {
    name: 'the card in use through the channel: answers, warnings and lists',
    from: 'playing',
    async run(tester) {
      await tester.storeData(0x8002, PIN, false);
      await tester.inside(INS.VERIFY, 0, 0, encodePin('9999'), 0x63c2);
      await tester.inside(INS.VERIFY, 0, 0, PIN);
      await tester.inside(INS.DECODE, 0, 0, sealPart(1));
      await tester.inside(INS.GET_LOG, 0, 0, NONE);
      await tester.inside(INS.LOAD_CREDIT, 0, 0, signOrder(2, 1n));
      await tester.inside(INS.CLOSE_SESSION, 0, 0, NONE);
      await tester.inside(INS.GET_RECEIPT, 0, 0, encodeU32(9), STATUS.NOT_FOUND);
      expect(await tester.inside(INS.LIST_KEYS, 0, 0, NONE)).toHaveLength(60);
      await tester.inside(INS.LOAD_KEY, 0, 0, sealSegment());
      await tester.loadKey(sealContent());
      for (let number = 2; number <= 11; number++) {
        await tester.loadKey(sealService(number, {}, { service: number + 100 }));
      }
      await tester.inside(INS.LIST_KEYS, 0, 0, NONE, STATUS.NO_ROOM);
      await tester.command({ cla: 0, ins: INS.GET_RESPONSE, p1: 0, p2: 0, le: 256 }, STATUS.NOT_NOW);
      await tester.inside(0x77, 0, 0, NONE, STATUS.UNKNOWN_INSTRUCTION);
      await tester.inside(INS.GET_DATA, 1, 3, NONE);
    },
  },
  {
    name: 'what ends the channel: SELECT, reset, a wrong C-MAC; plain commands do not',
    from: 'active',
    async run(tester) {
      const wrapped = fromHex('84400000080000000000000000');
      await tester.select();
      await tester.raw(wrapped, STATUS.NOT_NOW);
      await tester.secure(0x13);
      await tester.purse();
      await tester.inside(INS.GET_PURSE, 0, 0, NONE);
      await tester.raw(wrapped, STATUS.CRYPTO);
      await tester.raw(wrapped, STATUS.NOT_NOW);
      await tester.secure(0x13);
      await tester.select();
      await tester.raw(wrapped, STATUS.NOT_NOW);
      await tester.secure(0x13);
      await tester.reset();
      await tester.select();
      await tester.raw(wrapped, STATUS.NOT_NOW);
      await tester.raw(fromHex('84400000'), STATUS.NOT_NOW);
    },
  },
  {
    name: 'classes: 82 is 84 alone, SELECT and GET RESPONSE are 00 alone',
    from: 'active',
    platform: true,
    async run(tester) {
      for (const command of ['8082010000', '84a40400', '84c00000', '00500000', '00820100']) {
        await tester.raw(fromHex(command), STATUS.UNKNOWN_CLASS);
      }
      for (const command of ['81400000', '85400000']) await tester.raw(fromHex(command), STATUS.NOT_SELECTED);
      await tester.raw(fromHex('84820100100000000000000000000000000000000000'), STATUS.NOT_NOW);
      await tester.raw(fromHex('84820200'), STATUS.WRONG_PARAMETERS);
      await tester.raw(fromHex('84820100'), STATUS.WRONG_LENGTH);
    },
  },
];
