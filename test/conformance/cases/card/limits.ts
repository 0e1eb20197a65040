import { expect } from 'vitest';
import {
  type CardLimits,
  encodeCardLimits,
  NO_LIMITS,
  NO_SPEND_LIMIT,
} from '../../../../apdu/decode-module/card-limits.ts';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { keyBodyAt } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { encodePin } from '../../../../apdu/decode-module/pin.ts';
import { SPEND_LIMIT_DATA } from '../../../../apdu/layout/card.ts';
import { CONTENT_TERMS } from '../../../../apdu/layout/keys.ts';
import {
  sealPart,
  sealContent,
  findKey,
  KEYS,
  signOrder,
  PROFILE,
  sealAnew,
  SEGMENT_KEY_ID,
  sealSegment,
  SERVICE,
  sealService,
  START,
} from '../../messages/messages.ts';
import type { Case, Tester } from '../../tester.ts';

/** Where the body stands. */
const BODY_AT = keyBodyAt(KIND.content);

export const DAY = 86_400;
const SEGMENT_KEY = findKey(KIND.segment, SERVICE, SEGMENT_KEY_ID);
export const PIN = encodePin('2580');
export const END = START + 3 * DAY;

/** A new card with these limits and a PIN, 10 USD on it, playing for three days unless `keys` is false. */
export async function limited(tester: Tester, limits: Partial<CardLimits>, keys = true): Promise<void> {
  await tester.select();
  await tester.storeData(0x0002, encodeCardLimits({ ...NO_LIMITS, ...limits }), false);
  await tester.storeData(0x0001, PROFILE, false);
  await tester.storeData(0x8002, PIN, false);
  await tester.activate(0x8001, KEYS);
  await tester.loadCredit(signOrder(1, 10_000_000n));
  if (!keys) return;
  await tester.loadKey(sealService(1, {}, { to: END }));
  await tester.loadKey(sealSegment({ to: END }));
  await tester.loadKey(sealContent({}, { to: END }));
  await tester.open();
}

export async function setSpendLimit(tester: Tester, limit: number, status: number = STATUS.DONE): Promise<void> {
  const data = new Uint8Array(6);
  SPEND_LIMIT_DATA.writeUint(data, 'limit', limit);
  await tester.send(INS.SET_SPEND_LIMIT, data, status);
}

function rated(rating: number, keyId?: number): Uint8Array {
  const message = sealContent({}, keyId === undefined ? {} : { keyId });
  return sealAnew(message, SEGMENT_KEY, (octets) => CONTENT_TERMS.writeUint(octets, 'rating', rating, BODY_AT));
}

/** 0.25 USD each: one quantum. */
function megabyte(group: number, mediaTime: number): Uint8Array {
  return sealPart(group, { octets: 1_000_000, mediaTime });
}

export const limitCases: readonly Case[] = [
  {
    name: 'without DGI 0002 there is no limit; the log shows it and every record before',
    from: 'playing',
    async run(tester) {
      const newest = await tester.record();
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
      expect(await tester.record(1)).toMatchObject({ sequence: 1, loaded: 0n });
      const log = (p1: number, p2: number, status: number, data = new Uint8Array(0)) =>
        tester.command({ cla: 0x80, ins: INS.GET_LOG, p1, p2, data, le: 256 }, status);
      await log(0, 2, STATUS.NOT_FOUND);
      await log(0, 63, STATUS.NOT_FOUND);
      await log(0, 64, STATUS.WRONG_PARAMETERS);
      await log(0, 255, STATUS.WRONG_PARAMETERS);
      await log(1, 0, STATUS.WRONG_PARAMETERS);
      await log(0, 0, STATUS.DONE, new Uint8Array(1));
      for (let number = 2; number <= 70; number++) await tester.loadCredit(signOrder(number, 1n));
      expect(await tester.record(63)).toMatchObject({ sequence: 71 - 63, loaded: 10_000_000n + 6n });
      await tester.reset();
      await tester.select();
      expect(await tester.record()).toMatchObject({ sequence: 71, loadNumber: 70 });
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
      expect(await tester.record()).toMatchObject({ day: START / DAY, spentOfDay: 500_000n, spendLimit: 600_000n });
      await tester.decode(sealPart(3, { octets: 200_000, mediaTime: START }));
      expect(await tester.record()).toMatchObject({ taken: 600_000n, spentOfDay: 600_000n });
      await tester.decode(sealPart(4, { octets: 300_000, mediaTime: START }), STATUS.SPEND_LIMIT);
      await tester.decode(sealPart(4, { octets: 200_000, mediaTime: START }));
      await tester.decode(sealPart(5, { octets: 4, mediaTime: START }), STATUS.SPEND_LIMIT);
      await tester.closeSession();
      expect(await tester.record()).toMatchObject({ spent: 600_000n, spentOfDay: 600_000n, taken: 0n });
      await tester.open();
      await tester.decode(sealPart(5, { octets: 4, mediaTime: START + DAY - 1 }), STATUS.SPEND_LIMIT);
      await tester.decode(sealPart(5, { octets: 4, mediaTime: START + DAY }));
      expect(await tester.record()).toMatchObject({ day: START / DAY + 1, spentOfDay: 250_000n });
      // An earlier day counts against the record's.
      await tester.decode(megabyte(6, START));
      expect(await tester.record()).toMatchObject({ day: START / DAY + 1, spentOfDay: 500_000n });
      await tester.closeSession();
      expect(await tester.record()).toMatchObject({ spent: 850_001n, spentOfDay: 250_001n });
    },
  },
  {
    name: 'what a power cut tore was spent of the day; what a day before took is not given back to this one',
    from: 'blank',
    async run(tester) {
      await limited(tester, { spendLimit: 600_000n });
      await tester.decode(sealPart(1, { octets: 1000, mediaTime: START }));
      await tester.reset();
      await tester.select();
      expect(await tester.record()).toMatchObject({ spent: 250_000n, torn: 250_000n, spentOfDay: 250_000n });
      await tester.loadKey(sealSegment({ to: END }));
      await tester.loadKey(sealContent({}, { to: END }));
      await tester.open();
      await tester.decode(megabyte(2, START));
      await tester.decode(sealPart(3, { octets: 1000, mediaTime: START }));
      await tester.decode(sealPart(4, { octets: 400_000, mediaTime: START + DAY }));
      expect(await tester.record()).toMatchObject({ taken: 600_000n, day: START / DAY + 1, spentOfDay: 250_000n });
      await tester.closeSession();
      expect(await tester.record()).toMatchObject({ spent: 600_250n, spentOfDay: 250n });
    },
  },
  {
    name: 'a flat price counts like any other; no credit comes before the spend limit',
    from: 'blank',
    async run(tester) {
      await limited(tester, { spendLimit: 999_999n });
      await tester.loadKey(sealContent({ kind: 'flat', price: 1_000_000n }, { to: END }));
      await tester.decode(sealPart(1), STATUS.SPEND_LIMIT);
      await tester.loadKey(sealContent({ kind: 'flat', price: 10_000_001n }, { to: END }));
      await tester.decode(sealPart(1), STATUS.NO_CREDIT);
      await tester.loadKey(sealContent({ kind: 'flat', price: 999_999n }, { to: END }));
      await tester.decode(sealPart(1));
      await tester.decode(sealPart(2));
      expect(await tester.record()).toMatchObject({ taken: 999_999n, spentOfDay: 999_999n });
    },
  },
  {
    name: 'a flat price that what was taken covers moves the day and meets no limit',
    from: 'blank',
    async run(tester) {
      await limited(tester, { spendLimit: 250_000n });
      await tester.decode(sealPart(1, { octets: 1000, mediaTime: START }));
      await tester.loadKey(sealContent({ kind: 'flat', price: 100_000n }, { to: END }));
      await tester.decode(sealPart(2, { mediaTime: START }));
      expect(await tester.record()).toMatchObject({ sequence: 4, day: START / DAY, spentOfDay: 250_000n });
      await tester.decode(sealPart(3, { mediaTime: START + DAY }));
      expect(await tester.record()).toMatchObject({ sequence: 4 });
      await tester.loadKey(sealContent({ kind: 'flat', price: 100_000n, segmentId: 101 }, { to: END }));
      await tester.decode(sealPart(4, { mediaTime: START + DAY }));
      expect(await tester.record()).toMatchObject({
        sequence: 5,
        session: 1,
        taken: 250_000n,
        day: START / DAY + 1,
        spentOfDay: 0n,
      });
      // Not covered: the new day pays for it.
      await tester.loadKey(sealContent({ kind: 'flat', price: 100_000n, segmentId: 102 }, { to: END }));
      await tester.decode(sealPart(5, { mediaTime: START + DAY }));
      expect(await tester.record()).toMatchObject({ sequence: 6, taken: 500_000n, spentOfDay: 250_000n });
    },
  },
  {
    name: 'SET SPEND LIMIT needs the PIN; below what the day has spent nothing more is taken',
    from: 'blank',
    async run(tester) {
      await limited(tester, { spendLimit: 250_000n });
      await tester.decode(megabyte(1, START));
      await setSpendLimit(tester, 300_000, STATUS.SECURITY);
      await tester.send(INS.SET_SPEND_LIMIT, new Uint8Array(5), STATUS.WRONG_LENGTH);
      await tester.send(INS.SET_SPEND_LIMIT, new Uint8Array(7), STATUS.WRONG_LENGTH);
      await tester.decode(megabyte(2, START), STATUS.SPEND_LIMIT);
      await tester.send(INS.VERIFY, PIN);
      await setSpendLimit(tester, 500_000);
      await tester.decode(megabyte(2, START));
      await setSpendLimit(tester, 100_000);
      await tester.decode(megabyte(3, START), STATUS.SPEND_LIMIT);
      await tester.decode(sealPart(3, { octets: 0, mediaTime: START }));
      await setSpendLimit(tester, NO_SPEND_LIMIT);
      await tester.decode(megabyte(4, START));
      expect(await tester.record()).toMatchObject({ spentOfDay: 750_000n, spendLimit: BigInt(NO_SPEND_LIMIT) });
      await tester.select();
      await setSpendLimit(tester, 1, STATUS.SECURITY);
    },
  },
  {
    name: 'a rating above the limit: 9409, after the class and before the price; a PIN lifts it where the policy says so',
    from: 'blank',
    async run(tester) {
      await limited(tester, { ratingLimit: 12, pinLiftsRating: true });
      await tester.loadKey(rated(12));
      await tester.loadKey(rated(13), STATUS.ABOVE_RATING);
      await tester.loadKey(rated(255), STATUS.ABOVE_RATING);
      const dear = sealContent({ price: 10_000_001n });
      await tester.loadKey(dear, STATUS.ABOVE_CEILING);
      const both = sealAnew(dear, SEGMENT_KEY, (octets) => CONTENT_TERMS.writeUint(octets, 'rating', 18, BODY_AT));
      await tester.loadKey(both, STATUS.ABOVE_RATING);
      const all = sealAnew(both, SEGMENT_KEY, (octets) => CONTENT_TERMS.writeUint(octets, 'classes', 0, BODY_AT));
      await tester.loadKey(all, STATUS.CLASS_REFUSED);
      await tester.send(INS.VERIFY, PIN);
      await tester.loadKey(rated(255));
      await tester.loadKey(both, STATUS.ABOVE_CEILING);
      await tester.select();
      await tester.loadKey(rated(18, 6000), STATUS.ABOVE_RATING);
    },
  },
  {
    name: 'without the policy a PIN lifts nothing; rating limit 0 allows all',
    from: 'blank',
    async run(tester) {
      await limited(tester, { ratingLimit: 6 });
      await tester.send(INS.VERIFY, PIN);
      await tester.loadKey(rated(7), STATUS.ABOVE_RATING);
      await tester.loadKey(rated(6));
    },
  },
];
