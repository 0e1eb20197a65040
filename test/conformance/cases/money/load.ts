import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { openLoadProof, openLoadRequest } from '../../../../apdu/decode-module/money/credit-load.ts';
import { LOAD_ORDER } from '../../../../apdu/layout/money.ts';
import {
  CARD_ID,
  CARD_KEYS,
  sealPart,
  makeFixedKey,
  signOrder,
  MAXIMUM,
  signAnew,
  USD,
} from '../../messages/messages.ts';
import type { Case, Tester } from '../../tester.ts';

async function request(tester: Tester): Promise<ReturnType<typeof openLoadRequest>> {
  return openLoadRequest(await tester.send(INS.START_LOAD), CARD_KEYS['load-out']);
}

export const loadCases: readonly Case[] = [
  {
    name: 'S1, S2, S3: the request says where the card stands, the proof what it did',
    from: 'active',
    async run(tester) {
      expect(await request(tester)).toEqual({
        cardId: CARD_ID,
        number: 0,
        currency: USD,
        loaded: 0n,
        spent: 0n,
        torn: 0n,
        taken: 0n,
        lastLoadId: new Uint8Array(8),
        lastAmount: 0n,
        receiptsWritten: 0,
      });
      const loadId = makeFixedKey('first load').subarray(0, 8);
      const proof = await tester.loadCredit(signOrder(1, 5_000_000n, loadId));
      expect(openLoadProof(proof, CARD_KEYS['load-out'])).toEqual({
        cardId: CARD_ID,
        number: 1,
        currency: USD,
        amount: 5_000_000n,
        loadId,
      });
      expect(await request(tester)).toMatchObject({
        number: 1,
        loaded: 5_000_000n,
        lastLoadId: loadId,
        lastAmount: 5_000_000n,
      });
      expect(await tester.purse()).toMatchObject({
        loaded: 5_000_000n,
        balance: 5_000_000n,
        loadNumber: 1,
        sequence: 2,
      });
    },
  },
  {
    name: 'the same order again: the same proof, nothing loaded, also after a power cut',
    from: 'active',
    async run(tester) {
      const order = signOrder(1, 5_000_000n);
      const proof = await tester.loadCredit(order);
      const purse = await tester.purse();
      expect(await tester.loadCredit(order)).toEqual(proof);
      await tester.reset();
      await tester.select();
      expect(await tester.loadCredit(order)).toEqual(proof);
      expect(await tester.purse()).toEqual(purse);
      await tester.cut('after', { cla: 0x80, ins: INS.LOAD_CREDIT, p1: 0, p2: 0, data: signOrder(2, 1n), le: 256 });
      await tester.select();
      await tester.loadCredit(signOrder(2, 1n));
      expect(await tester.purse()).toMatchObject({ loaded: 5_000_001n, loadNumber: 2 });
      await tester.loadCredit(order, STATUS.OLD_NUMBER);
    },
  },
  {
    name: 'a number other than the next: 940B; the last number with another amount or id too',
    from: 'active',
    async run(tester) {
      await tester.loadCredit(signOrder(2, 1n), STATUS.OLD_NUMBER);
      await tester.loadCredit(signOrder(0, 1n), STATUS.OLD_NUMBER);
      await tester.loadCredit(signOrder(0xffffffff, 1n), STATUS.OLD_NUMBER);
      await tester.loadCredit(signOrder(0, 0n, new Uint8Array(8)));
      await tester.loadCredit(signOrder(1, 100n));
      await tester.loadCredit(signOrder(1, 101n), STATUS.OLD_NUMBER);
      await tester.loadCredit(signOrder(1, 100n, makeFixedKey('other').subarray(0, 8)), STATUS.OLD_NUMBER);
      await tester.loadCredit(signOrder(3, 1n), STATUS.OLD_NUMBER);
      await tester.loadCredit(signOrder(2, 1n));
      expect(await tester.purse()).toMatchObject({ loaded: 101n, loadNumber: 2, sequence: 3 });
    },
  },
  {
    name: 'above the maximum balance: 9407 before anything is written; up to it is fine',
    from: 'active',
    async run(tester) {
      await tester.loadCredit(signOrder(1, MAXIMUM + 1n), STATUS.ABOVE_MAXIMUM_BALANCE);
      await tester.loadCredit(signOrder(1, 2n ** 48n - 1n), STATUS.ABOVE_MAXIMUM_BALANCE);
      expect(await tester.purse()).toMatchObject({ loaded: 0n, sequence: 1, loadNumber: 0 });
      await tester.loadCredit(signOrder(1, MAXIMUM));
      await tester.loadCredit(signOrder(2, 1n), STATUS.ABOVE_MAXIMUM_BALANCE);
      await tester.loadCredit(signOrder(2, 0n));
      expect(await tester.purse()).toMatchObject({ loaded: MAXIMUM, loadNumber: 2 });
    },
  },
  {
    name: 'what was spent may be loaded again',
    from: 'playing',
    async run(tester) {
      await tester.loadCredit(signOrder(2, MAXIMUM - 10_000_000n));
      await tester.loadCredit(signOrder(3, 250n), STATUS.ABOVE_MAXIMUM_BALANCE);
      await tester.decode(sealPart(1, { octets: 1000 }));
      // Taken is not spent.
      await tester.loadCredit(signOrder(3, 250n), STATUS.ABOVE_MAXIMUM_BALANCE);
      await tester.closeSession();
      await tester.loadCredit(signOrder(3, 251n), STATUS.ABOVE_MAXIMUM_BALANCE);
      await tester.loadCredit(signOrder(3, 250n));
      expect(await tester.purse()).toMatchObject({ loaded: MAXIMUM + 250n, balance: MAXIMUM });
    },
  },
  {
    name: 'every octet of an order is under its tag; the card’s own keys do not sign one',
    from: 'active',
    async run(tester) {
      const order = signOrder(1, 5_000_000n);
      for (let at = 0; at < order.length; at++) {
        const flipped = order.slice();
        flipped[at]! ^= 0x04;
        await tester.loadCredit(flipped, STATUS.CRYPTO);
      }
      await tester.loadCredit(
        signAnew(order, CARD_KEYS['load-out'], () => {}),
        STATUS.CRYPTO,
      );
      const key = CARD_KEYS['load-in'];
      for (const change of [
        (o: Uint8Array) => (o[0] = 0x32),
        (o: Uint8Array) => (o[1] = 0),
        (o: Uint8Array) => (o[2] = 1),
      ]) {
        await tester.loadCredit(signAnew(order, key, change), STATUS.CRYPTO);
      }
      expect((await tester.purse()).loaded).toBe(0n);
      await tester.loadCredit(order);
    },
  },
  {
    name: 'another card, currency or a reserved octet: 6A80, before the number',
    from: 'active',
    async run(tester) {
      const key = CARD_KEYS['load-in'];
      const order = signOrder(9, MAXIMUM + 1n);
      for (const at of [4, 7, 11, 18, 19, 34, 40, 47]) {
        await tester.loadCredit(
          signAnew(order, key, (octets) => (octets[at]! ^= 0x80)),
          STATUS.BAD_FIELD,
        );
      }
      await tester.loadCredit(
        signAnew(order, key, (octets) => LOAD_ORDER.writeUint(octets, 'currency', 978)),
        STATUS.BAD_FIELD,
      );
      await tester.loadCredit(order, STATUS.OLD_NUMBER);
    },
  },
  {
    name: 'a load in an open session: the quantum stays as it is, in RAM and in the record',
    from: 'playing',
    async run(tester) {
      await tester.decode(sealPart(1, { octets: 900_000 }));
      await tester.decode(sealPart(2, { octets: 900_000 }));
      expect(await request(tester)).toMatchObject({ taken: 500_000n, spent: 0n });
      await tester.loadCredit(signOrder(2, 1_000_000n));
      expect(await tester.purse()).toMatchObject({ loaded: 11_000_000n, taken: 500_000n, used: 450_000n, service: 7 });
      await tester.decode(sealPart(2, { octets: 900_000 }));
      await tester.decode(sealPart(3, { octets: 10 }));
      await tester.reset();
      await tester.select();
      const purse = await tester.purse();
      expect(purse).toMatchObject({ loaded: 11_000_000n, spent: 500_000n, torn: 275_000n });
      expect(await tester.receipt()).toMatchObject({ amount: 225_000n, torn: 275_000n, groups: 1 });
      expect(await request(tester)).toMatchObject({ number: 2, torn: 275_000n, receiptsWritten: 1 });
    },
  },
];
