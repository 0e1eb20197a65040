import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLA_MODULE, INS } from '../../apdu/decode-module/instruction.ts';
import { parseKeyList } from '../../apdu/decode-module/keys/key-list.ts';
import { parseModuleData } from '../../apdu/decode-module/module-data.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { MODULE_AID, parseSelectAnswer } from '../../apdu/decode-module/select-answer.ts';
import { encodeCommand } from '../../apdu/iso7816/command-apdu.ts';
import { toHex } from '../../apdu/octets.ts';
import { type SimulatedCard, startCard } from '../../card-sim/index.ts';
import { countTally } from '../support/tally.ts';
import { CASES } from './cases/index.ts';
import { sealPart, sealService } from './messages/messages.ts';
import { type Step, Tester } from './tester.ts';
import { readVectors } from './vectors.ts';

const NONE = new Uint8Array(0);
/** SELECT as the vectors have it, and a card with a buffer of 133 octets. */
const OF_261 = /8304000003ff840200d0850200ff(8602....9000)$/;
const OF_133 = '8304000002bf840200508502007f$1';

/** The steps of a vector as a card with a buffer of 133 octets answers them. */
function narrow(steps: readonly Step[]): readonly Step[] {
  return steps.map((step) =>
    typeof step === 'string' || step[1] === null ? step : [step[0], step[1].replace(OF_261, OF_133)],
  );
}

describe.each(['soft', 'jcardsim'] as const)('an APDU buffer of 133 octets on %s', (kind) => {
  let card: SimulatedCard;
  let tester: Tester;
  let passed = 0;

  beforeAll(async () => {
    card = await startCard({ kind, apduBuffer: 133 });
    tester = new Tester(card);
  });

  afterAll(async () => {
    await tester.close();
    await card.close();
    countTally('conformance, buffer of 133', kind, passed, 'cases');
  });

  it.each(
    Object.entries(CASES).flatMap(([topic, cases]) =>
      cases.filter(({ long }) => long !== true).map((held) => ({ topic, ...held })),
    ),
  )('$topic: $name', async ({ topic, name, from, run }) => {
    const { beginnings, cases } = readVectors(topic);
    expect(await tester.begin(from)).toEqual(narrow(beginnings[from]));
    await run(tester);
    expect(tester.steps).toEqual(narrow(cases.find((held) => held.name === name)!.steps));
    passed++;
  });

  it('says so in the answers to SELECT and GET DATA', async () => {
    await tester.begin('blank');
    const limits = { capabilities: 0x2bf, maxSpan: 80, maxCommandData: 127 };
    expect(parseSelectAnswer(await tester.select())).toMatchObject(limits);
    const answer = await tester.command({ cla: CLA_MODULE, ins: INS.GET_DATA, p1: 1, p2: 0, le: 256 });
    expect(parseModuleData(answer)).toMatchObject(limits);
  });

  it('takes 127 octets of data; more are 6700 after the class and before all else', async () => {
    await tester.begin('playing');
    expect(await tester.decode(sealPart(1, { spanBlocks: 5 }))).toHaveLength(80);
    for (const length of [128, 129, 200, 255]) {
      const data = new Uint8Array(length);
      await tester.command({ cla: 0x00, ins: INS.DECODE, p1: 0, p2: 0, data, le: 256 }, STATUS.UNKNOWN_CLASS);
      for (const ins of [INS.DECODE, INS.LOAD_KEY]) {
        await tester.command({ cla: 0x80, ins, p1: 7, p2: 7, data, le: 256 }, STATUS.WRONG_LENGTH);
        await tester.command({ cla: 0x80, ins, p1: 7, p2: 7, data }, STATUS.WRONG_LENGTH);
      }
      await tester.command({ cla: 0x80, ins: 0x77, p1: 7, p2: 7, data, le: 256 }, STATUS.UNKNOWN_INSTRUCTION);
      await tester.command({ cla: 0x80, ins: INS.GET_PURSE, p1: 0, p2: 0, data, le: 256 });
      await tester.command({ cla: 0x84, ins: INS.GET_PURSE, p1: 0, p2: 0, data, le: 256 }, STATUS.WRONG_LENGTH);
    }
    expect(await tester.decode(sealPart(2, { spanBlocks: 5 }))).toHaveLength(80);
    await tester.send(INS.DECODE, new Uint8Array(127), STATUS.UNKNOWN_KEY);
  });

  it('cuts a list at 120 octets, and has none longer inside the channel', async () => {
    await tester.begin('active');
    const numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
    const load = (keyId: number): Promise<Uint8Array> => tester.loadKey(sealService(keyId, {}, { keyId }));
    for (const keyId of numbers.slice(0, 6)) await load(keyId);
    expect(parseKeyList(await tester.inside(INS.LIST_KEYS, 0, 0, NONE))).toHaveLength(6);
    for (const keyId of numbers.slice(6)) await load(keyId);
    await tester.inside(INS.LIST_KEYS, 0, 0, NONE, STATUS.NO_ROOM);
    const next = (status: number): Promise<Uint8Array> =>
      tester.command({ cla: 0, ins: INS.GET_RESPONSE, p1: 0, p2: 0, le: 256 }, status);
    const parts = [await tester.send(INS.LIST_KEYS, NONE, 0x61a0), await next(0x6128), await next(STATUS.DONE)];
    expect(parts.map(({ length }) => length)).toEqual([120, 120, 40]);
    expect(parts.flatMap((part) => parseKeyList(part).map(({ keyId }) => keyId))).toEqual(numbers);
  });
});

it.each([134, 146, 147, 165, 166, 181, 182, 199, 245, 246, 260])(
  'soft module and applet say and do the same with an APDU buffer of %i octets',
  async (apduBuffer) => {
    const answers: string[][] = [];
    for (const kind of ['soft', 'jcardsim'] as const) {
      await using card = await startCard({ kind, apduBuffer });
      const tester = new Tester(card);
      await tester.begin('playing');
      for (let keyId = 2; keyId <= 16; keyId++) await tester.loadKey(sealService(keyId, {}, { keyId }));
      const { maxSpan, maxCommandData } = parseSelectAnswer(await tester.select());
      expect(maxCommandData).toBe(apduBuffer - 6);
      await tester.open();
      expect(await tester.decode(sealPart(1, { spanBlocks: maxSpan / 16 }))).toHaveLength(maxSpan);
      const unknown = (length: number, status: number): Promise<Uint8Array> =>
        tester.send(INS.DECODE, new Uint8Array(length), status);
      await unknown(maxCommandData, STATUS.UNKNOWN_KEY);
      await unknown(maxCommandData + 1, STATUS.WRONG_LENGTH);
      const { steps } = tester;
      const list = encodeCommand({ cla: CLA_MODULE, ins: INS.LIST_KEYS, p1: 0, p2: 0, le: 256 });
      const channel = await card.channel();
      await channel.transmit(encodeCommand({ cla: 0, ins: INS.SELECT, p1: 4, p2: 0, data: MODULE_AID, le: 256 }));
      answers.push([...steps.map((step) => JSON.stringify(step)), toHex(await channel.transmit(list))]);
      await channel.close();
    }
    expect(answers[1]).toEqual(answers[0]);
  },
);
