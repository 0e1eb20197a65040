import { expect } from 'vitest';
import {
  type CardLimits,
  encodeCardLimits,
  NO_LIMITS,
  NO_SPEND_LIMIT,
} from '../../../apdu/decode-module/card-limits.ts';
import { openCreditLimitProof, signCreditLimit } from '../../../apdu/decode-module/credit-load.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { type LogRecord, parseLogRecord } from '../../../apdu/decode-module/log-record.ts';
import { parseModuleData } from '../../../apdu/decode-module/module-data.ts';
import { encodePin } from '../../../apdu/decode-module/pin.ts';
import { encodeVerificationKey, parseVerificationKeys } from '../../../apdu/decode-module/verification-key.ts';
import { writeUint } from '../../../apdu/octets.ts';
import {
  CARD_ID,
  CARD_KEYS,
  cardPart,
  contentMessage,
  fixedKey,
  keyOf,
  KEYS,
  loadOrder,
  MAXIMUM,
  PROFILE,
  resealed,
  resigned,
  SEGMENT_KEY_ID,
  segmentMessage,
  SERVICE,
  serviceMessage,
  START,
  USD,
} from '../messages.ts';
import type { Case, Tester } from '../tester.ts';

export const DAY = 86_400;
const SEGMENT_KEY = keyOf(KIND.segment, SERVICE, SEGMENT_KEY_ID);
export const PIN = encodePin('2580');
export const END = START + 3 * DAY;

/** Credit limit order. */
function creditLimit(number: number, amount: bigint, loadId = fixedKey(`limit ${number}`).subarray(0, 8)): Uint8Array {
  return signCreditLimit({ cardId: CARD_ID, number, currency: USD, amount, loadId }, CARD_KEYS['load-in']);
}

/** A new card with these limits and a PIN, 10 USD on it, playing for three days unless `keys` is false. */
export async function limited(tester: Tester, limits: Partial<CardLimits>, keys = true): Promise<void> {
  await tester.select();
  await tester.storeData(0x0002, encodeCardLimits({ ...NO_LIMITS, ...limits }), false);
  await tester.storeData(0x0001, PROFILE, false);
  await tester.storeData(0x8002, PIN, false);
  await tester.activate(0x8001, KEYS);
  await tester.loadCredit(loadOrder(1, 10_000_000n));
  if (!keys) return;
  await tester.loadKey(serviceMessage(1, {}, { to: END }));
  await tester.loadKey(segmentMessage({ to: END }));
  await tester.loadKey(contentMessage({}, { to: END }));
  await tester.open();
}

export async function record(tester: Tester, back = 0): Promise<LogRecord> {
  return parseLogRecord(await tester.command({ cla: 0x80, ins: INS.GET_LOG, p1: 0, p2: back, le: 256 }));
}

export async function setSpendLimit(tester: Tester, limit: number, status = 0x9000): Promise<void> {
  const data = new Uint8Array(6);
  writeUint(data, 0, 6, limit);
  await tester.send(INS.SET_SPEND_LIMIT, data, status);
}

function rated(rating: number, keyId?: number): Uint8Array {
  const message = contentMessage({}, keyId === undefined ? {} : { keyId });
  return resealed(message, SEGMENT_KEY, (octets) => (octets[49] = rating));
}

/** 0.25 USD each: one quantum. */
function megabyte(group: number, mediaTime: number): Uint8Array {
  return cardPart(group, { octets: 1_000_000, mediaTime });
}

export const limitCases: readonly Case[] = [
  {
    name: 'without DGI 0002 there is no limit; the log shows it and every record before',
    from: 'playing',
    async run(tester) {
      const newest = await record(tester);
      expect(newest).toMatchObject({
        sequence: 2,
        loaded: 10_000_000n,
        loadNumber: 1,
        limitLoaded: false,
        day: 0,
        spentOfDay: 0n,
        creditLimit: 0n,
        spendLimit: BigInt(NO_SPEND_LIMIT),
      });
      expect(await record(tester, 1)).toMatchObject({ sequence: 1, loaded: 0n });
      const log = (p1: number, p2: number, status: number, data = new Uint8Array(0)) =>
        tester.command({ cla: 0x80, ins: INS.GET_LOG, p1, p2, data, le: 256 }, status);
      await log(0, 2, 0x6a82);
      await log(0, 63, 0x6a82);
      await log(0, 64, 0x6a86);
      await log(0, 255, 0x6a86);
      await log(1, 0, 0x6a86);
      await log(0, 0, 0x6700, new Uint8Array(1));
      for (let number = 2; number <= 70; number++) await tester.loadCredit(loadOrder(number, 1n));
      expect(await record(tester, 63)).toMatchObject({ sequence: 71 - 63, loaded: 10_000_000n + 6n });
      await tester.reset();
      await tester.select();
      expect(await record(tester)).toMatchObject({ sequence: 71, loadNumber: 70 });
    },
  },
  {
    name: 'takes of a day of media time up to the limit, then 9403; what is not used comes back at the close',
    from: 'blank',
    async run(tester) {
      await limited(tester, { spendLimit: 600_000n });
      await tester.decode(megabyte(1, START));
      await tester.decode(megabyte(2, START));
      // 0.10 USD left of the limit: less than a quantum is taken.
      expect(await record(tester)).toMatchObject({ day: START / DAY, spentOfDay: 500_000n, spendLimit: 600_000n });
      await tester.decode(cardPart(3, { octets: 200_000, mediaTime: START }));
      expect(await record(tester)).toMatchObject({ taken: 600_000n, spentOfDay: 600_000n });
      await tester.decode(cardPart(4, { octets: 300_000, mediaTime: START }), 0x9403);
      await tester.decode(cardPart(4, { octets: 200_000, mediaTime: START }));
      await tester.decode(cardPart(5, { octets: 4, mediaTime: START }), 0x9403);
      await tester.closeSession();
      expect(await record(tester)).toMatchObject({ spent: 600_000n, spentOfDay: 600_000n, taken: 0n });
      await tester.open();
      await tester.decode(cardPart(5, { octets: 4, mediaTime: START + DAY - 1 }), 0x9403);
      await tester.decode(cardPart(5, { octets: 4, mediaTime: START + DAY }));
      expect(await record(tester)).toMatchObject({ day: START / DAY + 1, spentOfDay: 250_000n });
      // An earlier day counts against the record's.
      await tester.decode(megabyte(6, START));
      expect(await record(tester)).toMatchObject({ day: START / DAY + 1, spentOfDay: 500_000n });
      await tester.closeSession();
      expect(await record(tester)).toMatchObject({ spent: 850_001n, spentOfDay: 250_001n });
    },
  },
  {
    name: 'what a power cut tore was spent of the day; what a day before took is not given back to this one',
    from: 'blank',
    async run(tester) {
      await limited(tester, { spendLimit: 600_000n });
      await tester.decode(cardPart(1, { octets: 1000, mediaTime: START }));
      await tester.reset();
      await tester.select();
      expect(await record(tester)).toMatchObject({ spent: 250_000n, torn: 250_000n, spentOfDay: 250_000n });
      await tester.loadKey(segmentMessage({ to: END }));
      await tester.loadKey(contentMessage({}, { to: END }));
      await tester.open();
      await tester.decode(megabyte(2, START));
      await tester.decode(cardPart(3, { octets: 1000, mediaTime: START }));
      await tester.decode(cardPart(4, { octets: 400_000, mediaTime: START + DAY }));
      expect(await record(tester)).toMatchObject({ taken: 600_000n, day: START / DAY + 1, spentOfDay: 250_000n });
      await tester.closeSession();
      expect(await record(tester)).toMatchObject({ spent: 600_250n, spentOfDay: 250n });
    },
  },
  {
    name: 'a flat price counts like any other; no credit comes before the spend limit',
    from: 'blank',
    async run(tester) {
      await limited(tester, { spendLimit: 999_999n });
      await tester.loadKey(contentMessage({ kind: 'flat', price: 1_000_000n }));
      await tester.decode(cardPart(1), 0x9403);
      await tester.loadKey(contentMessage({ kind: 'flat', price: 10_000_001n }));
      await tester.decode(cardPart(1), 0x9401);
      await tester.loadKey(contentMessage({ kind: 'flat', price: 999_999n }));
      await tester.decode(cardPart(1));
      await tester.decode(cardPart(2));
      expect(await record(tester)).toMatchObject({ taken: 999_999n, spentOfDay: 999_999n });
    },
  },
  {
    name: 'SET SPEND LIMIT needs the PIN; below what the day has spent nothing more is taken',
    from: 'blank',
    async run(tester) {
      await limited(tester, { spendLimit: 250_000n });
      await tester.decode(megabyte(1, START));
      await setSpendLimit(tester, 300_000, 0x6982);
      await tester.send(INS.SET_SPEND_LIMIT, new Uint8Array(5), 0x6700);
      await tester.send(INS.SET_SPEND_LIMIT, new Uint8Array(7), 0x6700);
      await tester.decode(megabyte(2, START), 0x9403);
      await tester.send(INS.VERIFY, PIN);
      await setSpendLimit(tester, 500_000);
      await tester.decode(megabyte(2, START));
      await setSpendLimit(tester, 100_000);
      await tester.decode(megabyte(3, START), 0x9403);
      await tester.decode(cardPart(3, { octets: 0, mediaTime: START }));
      await setSpendLimit(tester, NO_SPEND_LIMIT);
      await tester.decode(megabyte(4, START));
      expect(await record(tester)).toMatchObject({ spentOfDay: 750_000n, spendLimit: BigInt(NO_SPEND_LIMIT) });
      await tester.select();
      await setSpendLimit(tester, 1, 0x6982);
    },
  },
  {
    name: 'DGI 0002 and 0003: lengths, policy and reserved octets, slots',
    from: 'blank',
    async run(tester) {
      const limits = encodeCardLimits(NO_LIMITS);
      const changed = (at: number, value: number): Uint8Array => limits.with(at, value);
      await tester.storeData(0x0002, changed(7, 4), false, 0x6a80);
      await tester.storeData(0x0002, changed(7, 0x80), false, 0x6a80);
      for (const at of [8, 15]) await tester.storeData(0x0002, changed(at, 1), false, 0x6a80);
      for (const length of [0, 15, 17]) await tester.storeData(0x0002, new Uint8Array(length), false, 0x6a80);
      for (const length of [0, 36, 38]) await tester.storeData(0x0003, new Uint8Array(length), false, 0x6a80);
      for (const slot of [4, 0x80, 0xff])
        await tester.storeData(0x0003, new Uint8Array(37).with(0, slot), false, 0x6a80);
      for (const length of [7, 9]) await tester.storeData(0x8002, new Uint8Array(length), false, 0x6a80);
      await tester.storeData(0x0004, limits, false, 0x6a80);
      await tester.storeData(0x8003, PIN, false, 0x6a80);
      await tester.storeData(0x0002, limits, true, 0x6985);
      await tester.storeData(0x0003, encodeVerificationKey(3, { id: 9, key: new Uint8Array(32).fill(9) }), false);
      await tester.storeData(0x0003, encodeVerificationKey(0, { id: 1, key: new Uint8Array(32).fill(1) }), false);
      await tester.storeData(0x0003, encodeVerificationKey(0, { id: 2, key: new Uint8Array(32).fill(2) }), false);
      const keys = await tester.command({ cla: 0x80, ins: INS.GET_DATA, p1: 1, p2: 3, le: 256 });
      expect(parseVerificationKeys(keys)).toEqual([
        { id: 2, key: new Uint8Array(32).fill(2) },
        { id: 9, key: new Uint8Array(32).fill(9) },
      ]);
    },
  },
  {
    name: 'GET DATA: other objects 6A88, then the length',
    from: 'blank',
    async run(tester) {
      const data = (p1: number, p2: number, status: number, octets = 0): Promise<Uint8Array> =>
        tester.command({ cla: 0x80, ins: INS.GET_DATA, p1, p2, data: new Uint8Array(octets), le: 256 }, status);
      for (const p2 of [1, 2, 4, 255]) await data(1, p2, 0x6a88, 1);
      await data(0, 0, 0x6a88);
      await data(0x80, 0, 0x6a88);
      await data(1, 0, 0x6700, 1);
      await data(1, 3, 0x6700, 255);
      expect(await data(1, 3, 0x9000)).toEqual(new Uint8Array(144));
    },
  },
  {
    name: 'a rating above the limit: 9409, after the class and before the price; a PIN lifts it where the policy says so',
    from: 'blank',
    async run(tester) {
      await limited(tester, { ratingLimit: 12, pinLiftsRating: true });
      await tester.loadKey(rated(12));
      await tester.loadKey(rated(13), 0x9409);
      await tester.loadKey(rated(255), 0x9409);
      const dear = contentMessage({ price: 10_000_001n });
      await tester.loadKey(dear, 0x9402);
      const both = resealed(dear, SEGMENT_KEY, (octets) => (octets[49] = 18));
      await tester.loadKey(both, 0x9409);
      const all = resealed(both, SEGMENT_KEY, (octets) => (octets[50] = 0));
      await tester.loadKey(all, 0x940a);
      await tester.send(INS.VERIFY, PIN);
      await tester.loadKey(rated(255));
      await tester.loadKey(both, 0x9402);
      await tester.select();
      await tester.loadKey(rated(18, 6000), 0x9409);
    },
  },
  {
    name: 'without the policy a PIN lifts nothing; rating limit 0 allows all',
    from: 'blank',
    async run(tester) {
      await limited(tester, { ratingLimit: 6 });
      await tester.send(INS.VERIFY, PIN);
      await tester.loadKey(rated(7), 0x9409);
      await tester.loadKey(rated(6));
    },
  },
  {
    name: 'a line of credit: spent may pass loaded by the limit, and no further; loads pay it back',
    from: 'playing',
    async run(tester) {
      const order = creditLimit(2, 500_000n);
      const proof = openCreditLimitProof(await tester.loadCredit(order), CARD_KEYS['load-out']);
      expect(proof).toMatchObject({ number: 2, amount: 500_000n });
      expect(await record(tester)).toMatchObject({
        sequence: 3,
        loaded: 10_000_000n,
        creditLimit: 500_000n,
        loadNumber: 2,
        loadAmount: 500_000n,
        limitLoaded: true,
      });
      await tester.loadCredit(order);
      for (let group = 1; group <= 7; group++) await tester.decode(cardPart(group, { octets: 1_500_000, duration: 0 }));
      await tester.loadKey(contentMessage({ price: 10_000_000n }));
      await tester.decode(cardPart(8, { octets: 787_500 }));
      expect((await tester.purse()).taken).toBe(10_500_000n);
      await tester.decode(cardPart(9, { octets: 1 }), 0x9401);
      await tester.closeSession();
      const purse = await tester.purse();
      expect(purse).toMatchObject({ loaded: 10_000_000n, spent: 10_500_000n });
      // -0.50: so much more than the maximum may be loaded.
      await tester.loadCredit(loadOrder(3, MAXIMUM + 500_001n), 0x9407);
      // Less than was used already.
      await tester.loadCredit(creditLimit(3, 100_000n));
      await tester.open();
      await tester.decode(cardPart(10, { octets: 1 }), 0x9401);
      await tester.loadCredit(loadOrder(4, 300_000n));
      await tester.decode(cardPart(10, { octets: 1 }), 0x9401);
      await tester.loadCredit(loadOrder(5, MAXIMUM + 200_000n));
      expect((await tester.purse()).balance).toBe(MAXIMUM);
    },
  },
  {
    name: 'a credit limit has the rules of a load: number, repetition, fields, its own kind',
    from: 'active',
    async run(tester) {
      const id = fixedKey('same id').subarray(0, 8);
      await tester.loadCredit(creditLimit(2, 1n), 0x940b);
      await tester.loadCredit(creditLimit(1, 2n ** 39n - MAXIMUM), 0x6a80);
      await tester.loadCredit(creditLimit(1, 2n ** 48n - 1n), 0x6a80);
      await tester.loadCredit(creditLimit(1, 2n ** 39n - 1n - MAXIMUM, id));
      await tester.loadCredit(loadOrder(1, 2n ** 39n - 1n - MAXIMUM, id), 0x940b);
      await tester.loadCredit(creditLimit(1, 1n, id), 0x940b);
      await tester.loadCredit(loadOrder(2, 1n, id));
      await tester.loadCredit(creditLimit(2, 1n, id), 0x940b);
      const key = CARD_KEYS['load-in'];
      const order = creditLimit(3, 1n);
      for (const kind of [0x31, 0x32, 0x34]) {
        await tester.loadCredit(order.with(0, kind), 0x6988);
        if (kind !== 0x31) {
          await tester.loadCredit(
            resigned(order, key, (octets) => (octets[0] = kind)),
            0x6988,
          );
        }
      }
      for (const at of [4, 11, 16, 18, 34, 47]) {
        await tester.loadCredit(
          resigned(order, key, (octets) => (octets[at]! ^= 0x80)),
          0x6a80,
        );
      }
      const proof = await tester.loadCredit(order);
      await tester.reset();
      await tester.select();
      expect(await tester.loadCredit(order)).toEqual(proof);
      expect(await record(tester)).toMatchObject({ sequence: 4, creditLimit: 1n, loaded: 1n });
    },
  },
  {
    name: 'GET DATA 0100 says what SELECT says',
    from: 'blank',
    async run(tester) {
      const answer = await tester.command({ cla: 0x80, ins: INS.GET_DATA, p1: 1, p2: 0, le: 256 });
      const { capabilities, maxSpan, maxCommandData } = parseModuleData(answer);
      expect({ maxSpan, maxCommandData }).toEqual({ maxSpan: 208, maxCommandData: 255 });
      const select = await tester.select();
      expect(capabilities).toBe(select[38]! + 256 * select[37]!);
      // Free memory is each module's own.
      tester.steps = [];
    },
  },
];
