import { afterAll, beforeAll, expect, test } from 'vitest';
import { CLA_MODULE, INS } from '../../apdu/decode-module/instruction.ts';
import { parseModuleData } from '../../apdu/decode-module/module-data.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { parseSelectAnswer } from '../../apdu/decode-module/select-answer.ts';
import { type SimulatedCard, startCard } from '../../card-sim/index.ts';
import { KEYS, PROFILE, sealPart, sealService } from './messages/messages.ts';
import { HEAD_END, sealPairPurchase } from './messages/pair-messages.ts';
import { Tester } from './tester.ts';

/** What the page says of a chip without P-256; the conformance suite runs there too, without the cases about pairs. */

const NONE = new Uint8Array(0);
const GET_PUBLIC_KEY = { cla: CLA_MODULE, ins: INS.GET_DATA, p1: 1, p2: 4, le: 256 };

let card: SimulatedCard;
let tester: Tester;

beforeAll(async () => {
  card = await startCard({ kind: 'jcardsim', lacks: ['p256'] });
  tester = new Tester(card);
});

afterAll(async () => {
  await tester.close();
  await card.close();
});

test('SELECT and GET DATA say 000002FF (2.1)', async () => {
  await tester.begin('active');
  expect(parseSelectAnswer(await tester.select()).capabilities).toBe(0x2ff);
  const data = await tester.command({ cla: CLA_MODULE, ins: INS.GET_DATA, p1: 1, p2: 0, le: 256 });
  expect(parseModuleData(data).capabilities).toBe(0x2ff);
});

test('GENERATE KEY PAIR is unknown, plain and through the channel; there is no point to read (2, 2.3)', async () => {
  await tester.begin('active');
  await tester.send(INS.GENERATE_KEY_PAIR, NONE, STATUS.UNKNOWN_INSTRUCTION);
  await tester.inside(INS.GENERATE_KEY_PAIR, 0, 0, NONE, STATUS.UNKNOWN_INSTRUCTION);
  expect(await tester.command(GET_PUBLIC_KEY, STATUS.UNKNOWN_KEY)).toHaveLength(0);
});

test('the DGI of the head-end’s point is unknown, and a card is personalised without it (3)', async () => {
  await tester.begin('blank');
  await tester.select();
  await tester.storeData(0x0001, PROFILE, false);
  await tester.storeData(0x0004, HEAD_END.publicKey, false, STATUS.BAD_FIELD);
  await tester.activate(0x8001, KEYS);
  expect(parseSelectAnswer(await tester.select()).life).toBe('active');
  await tester.storeData(0x0004, HEAD_END.publicKey, false, STATUS.BAD_FIELD);
});

test('a private half is of an unknown kind, and changes nothing; others load and play (1.3)', async () => {
  await tester.begin('playing');
  const before = await tester.keys();
  await tester.loadKey(sealPairPurchase(50), STATUS.CRYPTO);
  expect(await tester.keys()).toEqual(before);
  await tester.decode(sealPart(1));
  await tester.loadKey(sealService(50, {}, { keyId: 9 }));
});
