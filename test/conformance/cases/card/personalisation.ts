import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { LIFE, parseSelectAnswer } from '../../../../apdu/decode-module/select-answer.ts';
import { CARD_ID as CARD_ID_LAYOUT, CARD_PROFILE } from '../../../../apdu/layout/card.ts';
import { KEYS, signOrder, MAXIMUM, PROFILE, USD } from '../../messages/messages.ts';
import type { Case, Tester } from '../../tester.ts';

async function lifeOf(tester: Tester): Promise<string> {
  return parseSelectAnswer(await tester.select()).life;
}

function profileWith(change: (octets: Uint8Array) => void): Uint8Array {
  const profile = PROFILE.slice();
  change(profile);
  return profile;
}

export const personalisationCases: readonly Case[] = [
  {
    name: 'both data groups, in either order, make a card personalised, and SET STATUS active with an empty purse',
    from: 'blank',
    async run(tester) {
      await tester.storeData(0x8001, KEYS, false);
      await tester.storeData(0x0001, PROFILE, true);
      expect(await lifeOf(tester)).toBe('personalised');
      await tester.setStatus(LIFE.active);
      expect(await lifeOf(tester)).toBe('active');
      expect(await tester.purse()).toMatchObject({
        sequence: 1,
        loaded: 0n,
        spent: 0n,
        torn: 0n,
        maximumBalance: MAXIMUM,
        currency: USD,
        loadNumber: 0,
        session: 0,
        service: 0,
        receiptsWritten: 0,
        receiptsAcknowledged: 0,
      });
    },
  },
  {
    name: 'a data group may be sent again until the last one; the last one counts',
    from: 'blank',
    async run(tester) {
      await tester.storeData(
        0x0001,
        profileWith((octets) => CARD_PROFILE.writeUint(octets, 'currency', 978)),
        false,
      );
      await tester.storeData(0x8001, new Uint8Array(96).fill(0xaa), false);
      await tester.storeData(0x0001, PROFILE, false);
      await tester.activate(0x8001, KEYS);
      expect((await tester.purse()).currency).toBe(USD);
      await tester.loadCredit(signOrder(1, 1_000_000n));
    },
  },
  {
    name: 'the last one without the other: 6985, and nothing of it is kept',
    from: 'blank',
    async run(tester) {
      await tester.storeData(0x0001, PROFILE, true, STATUS.NOT_NOW);
      expect(await lifeOf(tester)).toBe('blank');
      await tester.storeData(0x8001, KEYS, true, STATUS.NOT_NOW);
      expect(await lifeOf(tester)).toBe('blank');
      await tester.storeData(0x8001, KEYS, false);
      await tester.storeData(0x8001, KEYS, true, STATUS.NOT_NOW);
      expect(await lifeOf(tester)).toBe('blank');
      await tester.storeData(0x0001, PROFILE, true);
      expect(await lifeOf(tester)).toBe('personalised');
    },
  },
  {
    name: 'values outside the table: 6A80, and a blank card stays blank',
    from: 'blank',
    async run(tester) {
      await tester.storeData(0x0002, PROFILE, false, STATUS.BAD_FIELD);
      await tester.storeData(0x8002, KEYS, false, STATUS.BAD_FIELD);
      await tester.storeData(0x0001, PROFILE.subarray(0, 23), false, STATUS.BAD_FIELD);
      await tester.storeData(0x0001, new Uint8Array(25), false, STATUS.BAD_FIELD);
      await tester.storeData(0x0001, new Uint8Array(0), false, STATUS.BAD_FIELD);
      await tester.storeData(0x8001, KEYS.subarray(0, 95), false, STATUS.BAD_FIELD);
      await tester.storeData(0x8001, new Uint8Array(97), true, STATUS.BAD_FIELD);
      await tester.storeData(
        0x0001,
        profileWith((octets) => CARD_PROFILE.writeUint(octets, 'maximumBalance', 2 ** 39)),
        false,
        STATUS.BAD_FIELD,
      );
      await tester.storeData(
        0x0001,
        profileWith((octets) => CARD_PROFILE.writeUint(octets, 'reserved', 1)),
        false,
        STATUS.BAD_FIELD,
      );
      await tester.storeData(
        0x0001,
        profileWith((octets) => CARD_PROFILE.writeUint(octets, 'reserved', 0x100)),
        false,
        STATUS.BAD_FIELD,
      );
      for (const moduleClass of [0, 3, 0xff]) {
        await tester.storeData(
          0x0001,
          profileWith((octets) => CARD_ID_LAYOUT.writeUint(octets, 'moduleClass', moduleClass)),
          false,
          STATUS.BAD_FIELD,
        );
      }
      expect(await lifeOf(tester)).toBe('blank');
    },
  },
  {
    name: 'the largest maximum balance is 2^39 - 1',
    from: 'blank',
    async run(tester) {
      await tester.storeData(
        0x0001,
        profileWith((octets) => CARD_PROFILE.writeUint(octets, 'maximumBalance', 2 ** 39 - 1)),
        false,
      );
      await tester.activate(0x8001, KEYS);
      expect((await tester.purse()).maximumBalance).toBe(2n ** 39n - 1n);
    },
  },
  {
    name: 'lengths: under 3 octets 6700, a length octet that is not the rest’s 6A80',
    from: 'blank',
    async run(tester) {
      const send = (data: Uint8Array, status: number): Promise<Uint8Array> =>
        tester.inside(INS.STORE_DATA, 0, 0, data, status);
      for (const length of [0, 1, 2]) await send(new Uint8Array(length), STATUS.WRONG_LENGTH);
      await send(Uint8Array.of(0x00, 0x01, 24), STATUS.BAD_FIELD);
      await send(Uint8Array.of(0x00, 0x01, 23, ...PROFILE), STATUS.BAD_FIELD);
      await send(Uint8Array.of(0x00, 0x01, 25, ...PROFILE), STATUS.BAD_FIELD);
      await send(Uint8Array.of(0x00, 0x01, 24, ...PROFILE, 0), STATUS.BAD_FIELD);
      await send(Uint8Array.of(0x00, 0x01, 24, ...PROFILE), STATUS.DONE);
    },
  },
  {
    name: 'P2 counts blocks and is not checked',
    from: 'blank',
    async run(tester) {
      const data = Uint8Array.of(0x00, 0x01, 24, ...PROFILE);
      await tester.inside(INS.STORE_DATA, 0x00, 0x07, data);
      const keys = Uint8Array.of(0x80, 0x01, 96, ...KEYS);
      await tester.inside(INS.STORE_DATA, 0x80, 0x07, keys);
      expect(await lifeOf(tester)).toBe('personalised');
    },
  },
  {
    name: 'what came before a power cut is still there',
    from: 'blank',
    async run(tester) {
      await tester.storeData(0x8001, KEYS, false);
      await tester.reset();
      expect(await lifeOf(tester)).toBe('blank');
      await tester.storeData(0x0001, PROFILE, true);
      await tester.reset();
      expect(await lifeOf(tester)).toBe('personalised');
      await tester.setStatus(LIFE.active);
      await tester.loadCredit(signOrder(1, 1n));
    },
  },
];
