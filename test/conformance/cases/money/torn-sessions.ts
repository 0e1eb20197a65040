import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { sealPart, sealContent, START } from '../../messages/messages.ts';
import { replay } from '../../messages/playing.ts';
import type { Case } from '../../tester.ts';

export const tornSessionCases: readonly Case[] = [
  {
    name: 'a torn session: a receipt of what the record knows, the rest is torn, and the law holds',
    from: 'playing',
    async run(tester) {
      await tester.decode(sealPart(1, { octets: 900_000, mediaTime: START + 1 }));
      await tester.decode(sealPart(2, { octets: 90_000, mediaTime: START + 2 }));
      await tester.decode(sealPart(3, { octets: 20_000, mediaTime: START + 3 }));
      await tester.decode(sealPart(4, { octets: 900_000, mediaTime: START + 4 }));
      expect(await tester.purse()).toMatchObject({ taken: 500_000n, used: 477_500n });
      await tester.reset();
      await tester.select();
      const receipt = await tester.receipt();
      expect(receipt).toMatchObject({
        number: 1,
        session: 1,
        octets: 990_000,
        groups: 2,
        from: START + 1,
        to: START + 2,
        amount: 247_500n,
        torn: 252_500n,
        spent: 500_000n,
        reason: 'torn',
      });
      const purse = await tester.purse();
      expect(purse).toMatchObject({
        spent: 500_000n,
        torn: 252_500n,
        taken: 0n,
        unacknowledged: 500_000n,
        sequence: 5,
      });
      expect(purse.loaded).toBe(purse.balance + receipt.amount + purse.torn);
      await tester.reset();
      await tester.select();
      expect(await tester.purse()).toEqual(purse);
    },
  },
  {
    name: 'after a cut: groups up to the mark of the record are refused, later ones open and cost again',
    from: 'playing',
    async run(tester) {
      await tester.decode(sealPart(1, { octets: 1_000_000 }));
      await tester.decode(sealPart(2, { octets: 10 }));
      await tester.decode(sealPart(3, { octets: 10 }));
      await tester.reset();
      await replay(tester, {});
      await tester.decode(sealPart(1), STATUS.OLD_GROUP);
      await tester.decode(sealPart(2, { octets: 10 }));
      await tester.decode(sealPart(3, { octets: 10 }));
      await tester.decode(sealPart(2), STATUS.OLD_GROUP);
    },
  },
  {
    name: 'the record of a torn receipt keeps marks, session, last flat and day: they are there after another reset',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealContent({ kind: 'flat', price: 100_000n, segmentId: 77 }));
      await tester.decode(sealPart(1, { mediaTime: START + 1 }));
      await tester.loadKey(sealContent());
      await tester.decode(sealPart(2, { octets: 1_000_000 }));
      await tester.decode(sealPart(3, { octets: 10 }));
      const { day, spentOfDay } = await tester.record();
      await tester.reset();
      await tester.select();
      expect(await tester.record()).toMatchObject({ day, spentOfDay, taken: 0n, torn: 400_000n, spent: 500_000n });
      await tester.reset();
      await replay(tester, { kind: 'flat', price: 100_000n, segmentId: 77 });
      expect(await tester.record()).toMatchObject({ day, spentOfDay, unacknowledged: 500_000n });
      await tester.decode(sealPart(1), STATUS.OLD_GROUP);
      await tester.decode(sealPart(2, { octets: 10 }));
      // Paid for before the first reset.
      expect(await tester.purse()).toMatchObject({ taken: 0n, session: 1, receiptsWritten: 1 });
      await tester.loadKey(sealContent());
      await tester.decode(sealPart(3, { octets: 10 }));
      expect(await tester.purse()).toMatchObject({ taken: 250_000n, session: 2 });
    },
  },
  {
    name: 'a cut before a take leaves all as it was; after it the take is torn',
    from: 'playing',
    async run(tester) {
      const decode = { cla: 0x80, ins: INS.DECODE, p1: 0, p2: 0, data: sealPart(1), le: 256 };
      await tester.cut('before', decode);
      await replay(tester, {});
      expect(await tester.purse()).toMatchObject({ taken: 0n, receiptsWritten: 0, sequence: 2 });
      await tester.cut('after', decode);
      await replay(tester, {});
      expect(await tester.purse()).toMatchObject({ spent: 250_000n, torn: 250_000n, receiptsWritten: 1, sequence: 4 });
      expect(await tester.receipt(1)).toMatchObject({ amount: 0n, torn: 250_000n, groups: 0, from: 0, to: 0 });
      await tester.decode(sealPart(1));
      await tester.cut('after', { cla: 0x80, ins: INS.CLOSE_SESSION, p1: 0, p2: 0, le: 256 });
      await tester.select();
      expect(await tester.receipt(2)).toMatchObject({ amount: 3_290n, torn: 0n, reason: 'closed', session: 2 });
      expect(await tester.closeSession()).toMatchObject({ number: 2 });
    },
  },
];
