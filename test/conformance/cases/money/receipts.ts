import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { CARD_PROFILE } from '../../../../apdu/layout/card.ts';
import {
  signAcknowledgementUpTo,
  CARD_KEYS,
  sealPart,
  sealContent,
  makeFixedKey,
  PROFILE,
  signAnew,
  sealService,
} from '../../messages/messages.ts';
import { bringUp, type Case, type Tester } from '../../tester.ts';

/** Sessions of one group of 1,000 octets, 250 micro-units, each. */
async function sessions(tester: Tester, first: number, last: number): Promise<void> {
  for (let group = first; group <= last; group++) {
    await tester.open();
    await tester.decode(sealPart(group, { octets: 1000 }));
    await tester.closeSession();
  }
}

export const receiptCases: readonly Case[] = [
  {
    name: 'receipts are numbered without gaps, and each says the purse after it',
    from: 'playing',
    async run(tester) {
      await sessions(tester, 1, 5);
      for (let number = 1; number <= 5; number++) {
        expect(await tester.receipt(number)).toMatchObject({
          number,
          session: number,
          amount: 250n,
          spent: 250n * BigInt(number),
          loaded: 10_000_000n,
        });
      }
      expect(await tester.purse()).toMatchObject({
        receiptsWritten: 5,
        receiptsAcknowledged: 0,
        unacknowledged: 1250n,
      });
    },
  },
  {
    name: 'GET RECEIPT: the oldest not acknowledged, or any of the last 32; else 6A82',
    from: 'playing',
    async run(tester) {
      await tester.noReceipt();
      await tester.noReceipt(0);
      await tester.noReceipt(1);
      await sessions(tester, 1, 3);
      expect((await tester.receipt()).number).toBe(1);
      await tester.acknowledge(signAcknowledgementUpTo(2));
      expect((await tester.receipt()).number).toBe(3);
      expect((await tester.receipt(1)).number).toBe(1);
      await tester.acknowledge(signAcknowledgementUpTo(3));
      await tester.noReceipt();
      await tester.noReceipt(4);
      await tester.noReceipt(0xffffffff);
      expect((await tester.receipt(3)).number).toBe(3);
    },
  },
  {
    name: 'CLOSE without a session answers the newest receipt again',
    from: 'playing',
    async run(tester) {
      await sessions(tester, 1, 2);
      const newest = await tester.send(INS.CLOSE_SESSION);
      expect(await tester.send(INS.CLOSE_SESSION)).toEqual(newest);
      await tester.reset();
      await tester.select();
      expect(await tester.send(INS.CLOSE_SESSION)).toEqual(newest);
      await tester.open();
      expect(await tester.send(INS.CLOSE_SESSION)).toEqual(newest);
      await tester.acknowledge(signAcknowledgementUpTo(2));
      expect(await tester.send(INS.CLOSE_SESSION)).toEqual(newest);
    },
  },
  {
    name: '32 receipts unacknowledged: no new session pays (9404), free ones and an open one go on',
    from: 'playing',
    async run(tester) {
      await tester.closeSession();
      await sessions(tester, 1, 31);
      await tester.open();
      await tester.decode(sealPart(32, { octets: 1000 }));
      await tester.decode(sealPart(33, { octets: 1_000_000 }));
      await tester.closeSession();
      await tester.open();
      await tester.decode(sealPart(34, { octets: 1000 }), STATUS.RECEIPTS_DUE);
      await tester.decode(sealPart(34, { octets: 0 }));
      await tester.loadKey(sealContent({ kind: 'flat', price: 1n }));
      await tester.decode(sealPart(35), STATUS.RECEIPTS_DUE);
      await tester.loadKey(sealContent());
      expect((await tester.receipt(1)).number).toBe(1);
      await tester.acknowledge(signAcknowledgementUpTo(1));
      await tester.decode(sealPart(35, { octets: 1000 }));
      expect(await tester.closeSession()).toMatchObject({ number: 33, octets: 1000, groups: 2 });
      await tester.noReceipt(1);
      expect((await tester.receipt(2)).number).toBe(2);
      expect((await tester.receipt()).number).toBe(2);
      await tester.open();
      await tester.decode(sealPart(36, { octets: 1000 }), STATUS.RECEIPTS_DUE);
      await tester.acknowledge(signAcknowledgementUpTo(33));
      await tester.decode(sealPart(36, { octets: 1000 }));
      expect(await tester.closeSession()).toMatchObject({ number: 34 });
      expect(await tester.purse()).toMatchObject({ receiptsAcknowledged: 33, unacknowledged: 250n });
    },
  },
  {
    name: 'receipts due are told before too many quanta and too little credit',
    from: 'playing',
    async run(tester) {
      await sessions(tester, 1, 32);
      await tester.open();
      await tester.loadKey(sealService(2, { quantum: 1n }, { keyId: 2 }));
      await tester.loadKey(sealContent({ price: 10_000_000n }, { parentKind: 0x10, parentId: 2, keyId: 5001 }));
      await tester.decode(sealPart(33, { contentKeyId: 5001, octets: 1_000_000 }), STATUS.RECEIPTS_DUE);
      await tester.acknowledge(signAcknowledgementUpTo(32));
      await tester.decode(sealPart(33, { contentKeyId: 5001, octets: 1_000_000 }), STATUS.ABOVE_CEILING);
      await tester.loadKey(sealContent({ price: 10_000_000n }));
      await tester.decode(sealPart(33, { octets: 1_000_001 }), STATUS.NO_CREDIT);
    },
  },
  {
    name: 'the most unacknowledged amount: from it on no new session pays (9404)',
    from: 'blank',
    async run(tester) {
      const profile = PROFILE.slice();
      CARD_PROFILE.writeUint(profile, 'maximumUnacknowledged', 1_000);
      await bringUp(tester, profile);
      await tester.decode(sealPart(1, { octets: 3996 }));
      await tester.closeSession();
      await tester.open();
      await tester.decode(sealPart(2, { octets: 3 }));
      await tester.closeSession();
      expect((await tester.purse()).unacknowledged).toBe(1000n);
      await tester.open();
      await tester.decode(sealPart(3, { octets: 1 }), STATUS.RECEIPTS_DUE);
      await tester.acknowledge(signAcknowledgementUpTo(1));
      expect((await tester.purse()).unacknowledged).toBe(1n);
      await tester.decode(sealPart(3, { octets: 1 }));
      // A torn session counts with what it took.
      await tester.reset();
      await tester.select();
      expect((await tester.purse()).unacknowledged).toBe(250_001n);
      await tester.acknowledge(signAcknowledgementUpTo(3));
      expect((await tester.purse()).unacknowledged).toBe(0n);
    },
  },
  {
    name: 'a most unacknowledged amount of 0 pays for nothing',
    from: 'blank',
    async run(tester) {
      const profile = PROFILE.slice();
      CARD_PROFILE.writeUint(profile, 'maximumUnacknowledged', 0);
      await bringUp(tester, profile);
      await tester.decode(sealPart(1), STATUS.RECEIPTS_DUE);
    },
  },
  {
    name: 'an acknowledgement: once, up to a number, authentic and for this card',
    from: 'playing',
    async run(tester) {
      await sessions(tester, 1, 4);
      const key = CARD_KEYS.acknowledgement;
      const message = signAcknowledgementUpTo(3);
      for (let at = 0; at < message.length; at++) {
        const flipped = message.slice();
        flipped[at]! ^= 0x10;
        await tester.acknowledge(flipped, STATUS.CRYPTO);
      }
      await tester.acknowledge(
        signAnew(message, CARD_KEYS.receipt, () => {}),
        STATUS.CRYPTO,
      );
      for (const change of [
        (o: Uint8Array) => (o[0] = 0x40),
        (o: Uint8Array) => (o[1] = 2),
        (o: Uint8Array) => (o[3] = 31),
      ]) {
        await tester.acknowledge(signAnew(message, key, change), STATUS.CRYPTO);
      }
      for (const at of [4, 7, 11]) {
        await tester.acknowledge(
          signAnew(message, key, (octets) => (octets[at]! ^= 1)),
          STATUS.BAD_FIELD,
        );
      }
      await tester.acknowledge(signAcknowledgementUpTo(5), STATUS.BAD_FIELD);
      await tester.acknowledge(signAcknowledgementUpTo(0xffffffff), STATUS.BAD_FIELD);
      const { sequence } = await tester.purse();
      await tester.acknowledge(signAcknowledgementUpTo(0));
      expect((await tester.purse()).sequence).toBe(sequence);
      await tester.acknowledge(message);
      const after = await tester.purse();
      expect(after).toMatchObject({ sequence: sequence + 1, receiptsAcknowledged: 3, unacknowledged: 250n });
      await tester.acknowledge(message);
      await tester.acknowledge(signAcknowledgementUpTo(1));
      expect(await tester.purse()).toEqual(after);
    },
  },
  {
    name: 'an acknowledgement in an open session leaves the session as it is, also in the record',
    from: 'playing',
    async run(tester) {
      await sessions(tester, 1, 1);
      await tester.open();
      await tester.decode(sealPart(2, { octets: 900_000 }));
      await tester.decode(sealPart(3, { octets: 900_000 }));
      await tester.acknowledge(signAcknowledgementUpTo(1));
      expect(await tester.purse()).toMatchObject({ taken: 500_000n, used: 450_000n, service: 7 });
      await tester.reset();
      await tester.select();
      expect(await tester.receipt()).toMatchObject({ number: 2, amount: 225_000n, torn: 275_000n, groups: 1 });
    },
  },
  {
    name: 'the keys of a card differ: what another key signed is not taken',
    from: 'playing',
    async run(tester) {
      await sessions(tester, 1, 1);
      await tester.acknowledge(
        signAnew(signAcknowledgementUpTo(1), makeFixedKey('another'), () => {}),
        STATUS.CRYPTO,
      );
      await tester.acknowledge(signAcknowledgementUpTo(1));
    },
  },
];
