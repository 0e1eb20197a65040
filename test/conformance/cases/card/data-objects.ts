import { expect } from 'vitest';
import { encodeCardLimits, NO_LIMITS } from '../../../../apdu/decode-module/card-limits.ts';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { encodeVerificationKey, parseVerificationKeys } from '../../../../apdu/decode-module/keys/verification-key.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { encodePin } from '../../../../apdu/decode-module/pin.ts';
import { concat, toHex } from '../../../../apdu/octets.ts';
import { type Case, encodeU32 } from '../../tester.ts';

const PIN = encodePin('2580');

export const dataObjectCases: readonly Case[] = [
  {
    name: 'DGI 0002 and 0003: lengths, policy and reserved octets, slots',
    from: 'blank',
    async run(tester) {
      const limits = encodeCardLimits(NO_LIMITS);
      const changed = (at: number, value: number): Uint8Array => limits.with(at, value);
      await tester.storeData(0x0002, changed(7, 4), false, STATUS.BAD_FIELD);
      await tester.storeData(0x0002, changed(7, 0x80), false, STATUS.BAD_FIELD);
      for (const at of [8, 15]) await tester.storeData(0x0002, changed(at, 1), false, STATUS.BAD_FIELD);
      for (const length of [0, 15, 17]) await tester.storeData(0x0002, new Uint8Array(length), false, STATUS.BAD_FIELD);
      for (const length of [0, 36, 38]) await tester.storeData(0x0003, new Uint8Array(length), false, STATUS.BAD_FIELD);
      for (const place of [4, 0x80, 0xff])
        await tester.storeData(0x0003, new Uint8Array(37).with(0, place), false, STATUS.BAD_FIELD);
      for (const length of [7, 9]) await tester.storeData(0x8002, new Uint8Array(length), false, STATUS.BAD_FIELD);
      await tester.storeData(0x0004, limits, false, STATUS.BAD_FIELD);
      await tester.storeData(0x8003, PIN, false, STATUS.BAD_FIELD);
      await tester.storeData(0x0002, limits, true, STATUS.NOT_NOW);
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
    name: 'GET DATA: other objects 6A88; data that come along are not looked at',
    from: 'blank',
    async run(tester) {
      const data = (p1: number, p2: number, status: number, octets = 0): Promise<Uint8Array> =>
        tester.command({ cla: 0x80, ins: INS.GET_DATA, p1, p2, data: new Uint8Array(octets), le: 256 }, status);
      for (const p2 of [1, 4, 5, 255]) await data(1, p2, STATUS.UNKNOWN_KEY, 1);
      await data(0, 0, STATUS.UNKNOWN_KEY);
      await data(0x80, 0, STATUS.UNKNOWN_KEY);
      expect(await data(1, 3, STATUS.DONE, 255)).toEqual(new Uint8Array(144));
      expect(await data(1, 3, STATUS.DONE)).toEqual(new Uint8Array(144));
    },
  },
  {
    name: 'GET DATA 0102: rating limit and PIN policy in force, tries left, and whether the PIN is verified',
    from: 'active',
    async run(tester) {
      const expectLimits = async (hex: string): Promise<void> => {
        const answer = await tester.command({ cla: 0x80, ins: INS.GET_DATA, p1: 1, p2: 2, le: 256 });
        expect(toHex(answer)).toBe(hex);
      };
      const pin = (digits: string, status: number = STATUS.DONE): Promise<Uint8Array> =>
        tester.command({ cla: 0x80, ins: INS.VERIFY, p1: 0, p2: 0, data: encodePin(digits), le: 256 }, status);
      await expectLimits('0000ff00');
      const limits = { ...NO_LIMITS, ratingLimit: 16, pinForSessions: true, pinLiftsRating: true };
      await tester.storeData(0x0002, encodeCardLimits(limits), false);
      await tester.storeData(0x8002, PIN, false);
      await tester.select();
      await expectLimits('10030300');
      await pin('2580');
      await expectLimits('10030301');
      await pin('9999', STATUS.WRONG_PIN | 2);
      await expectLimits('10030200');
      await pin('9999', STATUS.WRONG_PIN | 1);
      await pin('9999', STATUS.WRONG_PIN);
      await expectLimits('10030000');
    },
  },
  {
    name: 'a verification key of id 0 empties its slot: GET DATA shows the octets that came with it',
    from: 'active',
    async run(tester) {
      const show = { cla: 0x80, ins: INS.GET_DATA, p1: 1, p2: 3, le: 256 };
      const place = (id: number, fill: number): Uint8Array =>
        concat(Uint8Array.of(1), encodeU32(id), new Uint8Array(32).fill(fill));
      await tester.storeData(0x0003, place(7, 7), false);
      await tester.storeData(0x0003, place(0, 5), false);
      const octets = await tester.command(show);
      const empty = new Uint8Array(36);
      expect(octets).toEqual(concat(empty, place(0, 5).subarray(1), empty, empty));
      expect(parseVerificationKeys(octets)).toEqual([]);
      await tester.storeData(0x0003, place(0, 0), false);
      expect(await tester.command(show)).toEqual(new Uint8Array(144));
    },
  },
];
