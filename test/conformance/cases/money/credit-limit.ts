import { expect } from 'vitest';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { openCreditLimitProof, signCreditLimit } from '../../../../apdu/decode-module/money/credit-load.ts';
import { LOAD_ORDER } from '../../../../apdu/layout/money.ts';
import {
  CARD_ID,
  CARD_KEYS,
  sealPart,
  sealContent,
  makeFixedKey,
  signOrder,
  MAXIMUM,
  signAnew,
  USD,
} from '../../messages/messages.ts';
import type { Case } from '../../tester.ts';

/** Credit limit order. */
function creditLimit(
  number: number,
  amount: bigint,
  loadId = makeFixedKey(`limit ${number}`).subarray(0, 8),
): Uint8Array {
  return signCreditLimit({ cardId: CARD_ID, number, currency: USD, amount, loadId }, CARD_KEYS['load-in']);
}

export const creditLimitCases: readonly Case[] = [
  {
    name: 'a line of credit: spent may pass loaded by the limit, and no further; loads pay it back',
    from: 'playing',
    async run(tester) {
      const order = creditLimit(2, 500_000n);
      const proof = openCreditLimitProof(await tester.loadCredit(order), CARD_KEYS['load-out']);
      expect(proof).toMatchObject({ number: 2, amount: 500_000n });
      expect(await tester.record()).toMatchObject({
        sequence: 3,
        loaded: 10_000_000n,
        creditLimit: 500_000n,
        loadNumber: 2,
        loadAmount: 500_000n,
        limitLoaded: true,
      });
      await tester.loadCredit(order);
      for (let group = 1; group <= 7; group++) await tester.decode(sealPart(group, { octets: 1_500_000, duration: 0 }));
      await tester.loadKey(sealContent({ price: 10_000_000n }));
      await tester.decode(sealPart(8, { octets: 787_500 }));
      expect((await tester.purse()).taken).toBe(10_500_000n);
      await tester.decode(sealPart(9, { octets: 1 }), STATUS.NO_CREDIT);
      await tester.closeSession();
      const purse = await tester.purse();
      expect(purse).toMatchObject({ loaded: 10_000_000n, spent: 10_500_000n });
      // -0.50: so much more than the maximum may be loaded.
      await tester.loadCredit(signOrder(3, MAXIMUM + 500_001n), STATUS.ABOVE_MAXIMUM_BALANCE);
      // Less than was used already.
      await tester.loadCredit(creditLimit(3, 100_000n));
      await tester.open();
      await tester.decode(sealPart(10, { octets: 1 }), STATUS.NO_CREDIT);
      await tester.loadCredit(signOrder(4, 300_000n));
      await tester.decode(sealPart(10, { octets: 1 }), STATUS.NO_CREDIT);
      await tester.loadCredit(signOrder(5, MAXIMUM + 200_000n));
      expect((await tester.purse()).balance).toBe(MAXIMUM);
    },
  },
  {
    name: 'a credit limit has the rules of a load: number, repetition, fields, its own kind',
    from: 'active',
    async run(tester) {
      const id = makeFixedKey('same id').subarray(0, 8);
      await tester.loadCredit(creditLimit(2, 1n), STATUS.OLD_NUMBER);
      await tester.loadCredit(creditLimit(1, 2n ** 39n - MAXIMUM), STATUS.BAD_FIELD);
      await tester.loadCredit(creditLimit(1, 2n ** 48n - 1n), STATUS.BAD_FIELD);
      await tester.loadCredit(creditLimit(1, 2n ** 39n - 1n - MAXIMUM, id));
      await tester.loadCredit(signOrder(1, 2n ** 39n - 1n - MAXIMUM, id), STATUS.OLD_NUMBER);
      await tester.loadCredit(creditLimit(1, 1n, id), STATUS.OLD_NUMBER);
      await tester.loadCredit(signOrder(2, 1n, id));
      await tester.loadCredit(creditLimit(2, 1n, id), STATUS.OLD_NUMBER);
      const key = CARD_KEYS['load-in'];
      const order = creditLimit(3, 1n);
      for (const kind of [0x31, 0x32, 0x34]) {
        await tester.loadCredit(order.with(0, kind), STATUS.CRYPTO);
        if (kind !== 0x31) {
          await tester.loadCredit(
            signAnew(order, key, (octets) => LOAD_ORDER.writeUint(octets, 'kind', kind)),
            STATUS.CRYPTO,
          );
        }
      }
      for (const at of [4, 11, 16, 18, 34, 47]) {
        await tester.loadCredit(
          signAnew(order, key, (octets) => (octets[at]! ^= 0x80)),
          STATUS.BAD_FIELD,
        );
      }
      const proof = await tester.loadCredit(order);
      await tester.reset();
      await tester.select();
      expect(await tester.loadCredit(order)).toEqual(proof);
      expect(await tester.record()).toMatchObject({ sequence: 4, creditLimit: 1n, loaded: 1n });
    },
  },
];
