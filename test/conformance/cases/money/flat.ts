import { expect } from 'vitest';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { sealPart, sealContent, SERVICE_KEY_ID, sealService, type TermOptions } from '../../messages/messages.ts';
import { play, replay } from '../../messages/playing.ts';
import type { Case } from '../../tester.ts';

export const flatCases: readonly Case[] = [
  {
    name: 'flat: one record for the first group of a segment, nothing for the next ones',
    from: 'active',
    async run(tester) {
      await play(tester, 10_000_000n, { kind: 'flat', price: 1_500_000n });
      await tester.decode(sealPart(1));
      expect(await tester.purse()).toMatchObject({ taken: 1_500_000n, used: 1_500_000n, sequence: 3, session: 1 });
      for (let group = 2; group <= 5; group++) await tester.decode(sealPart(group));
      expect(await tester.purse()).toMatchObject({ taken: 1_500_000n, used: 1_500_000n, sequence: 3 });
      expect(await tester.closeSession()).toMatchObject({ amount: 1_500_000n, groups: 5 });
    },
  },
  {
    name: 'flat: bought once, also over sessions and after a cut; another segment costs again',
    from: 'active',
    async run(tester) {
      const flat: TermOptions = { kind: 'flat', price: 1_500_000n };
      await play(tester, 10_000_000n, flat);
      await tester.decode(sealPart(1));
      await tester.closeSession();
      await tester.open();
      await tester.decode(sealPart(2));
      expect(await tester.purse()).toMatchObject({ taken: 0n, usedTicks: 0n, sequence: 4 });
      await tester.reset();
      await replay(tester, flat);
      await tester.decode(sealPart(3));
      expect(await tester.purse()).toMatchObject({ taken: 0n, usedTicks: 0n, sequence: 4 });
      await tester.loadKey(sealContent({ ...flat, segmentId: 101 }));
      await tester.decode(sealPart(4));
      expect(await tester.purse()).toMatchObject({ taken: 1_500_000n, sequence: 5 });
      await tester.reset();
      await replay(tester, { ...flat, segmentId: 101 });
      expect(await tester.purse()).toMatchObject({ spent: 3_000_000n, torn: 0n, receiptsWritten: 2 });
      await tester.decode(sealPart(5));
      expect(await tester.purse()).toMatchObject({ taken: 0n, spent: 3_000_000n });
      await tester.loadKey(sealContent(flat));
      await tester.decode(sealPart(6));
      expect((await tester.purse()).taken).toBe(1_500_000n);
    },
  },
  {
    name: 'flat: what was taken already is used first, and the record is written all the same',
    from: 'active',
    async run(tester) {
      await play(tester, 10_000_000n, { price: 1_000_000n });
      await tester.decode(sealPart(1, { octets: 50_000 }));
      await tester.loadKey(sealContent({ kind: 'flat', price: 100_000n }));
      await tester.decode(sealPart(2));
      expect(await tester.purse()).toMatchObject({ taken: 250_000n, used: 150_000n, sequence: 4, session: 1 });
      await tester.loadKey(sealContent({ kind: 'flat', price: 200_000n, segmentId: 101 }));
      await tester.decode(sealPart(3));
      expect(await tester.purse()).toMatchObject({ taken: 500_000n, used: 350_000n, sequence: 5 });
      await tester.reset();
      await tester.select();
      expect(await tester.receipt()).toMatchObject({
        reason: 'torn',
        amount: 350_000n,
        torn: 150_000n,
        groups: 2,
        octets: 63_160,
      });
    },
  },
  {
    name: 'flat: a segment id is its service’s own, and only the last one is known',
    from: 'active',
    async run(tester) {
      const flat: TermOptions = { kind: 'flat', price: 1_500_000n };
      await play(tester, 10_000_000n, flat);
      await tester.loadKey(sealService(2, {}, { service: 8 }));
      const other = { service: 8, parentKind: KIND.service, parentId: SERVICE_KEY_ID, keyId: 6000 } as const;
      await tester.loadKey(sealContent(flat, other));
      await tester.decode(sealPart(1));
      await tester.open(8);
      expect((await tester.purse()).spent).toBe(1_500_000n);
      await tester.decode(sealPart(2, { service: 8, contentKeyId: 6000 }));
      await tester.decode(sealPart(3, { service: 8, contentKeyId: 6000 }));
      expect(await tester.purse()).toMatchObject({ taken: 1_500_000n, session: 2 });
      await tester.open();
      await tester.decode(sealPart(4));
      expect(await tester.purse()).toMatchObject({ spent: 3_000_000n, taken: 1_500_000n, session: 3 });
    },
  },
  {
    name: 'flat of price 0 writes nothing, so the segment paid before stays paid',
    from: 'active',
    async run(tester) {
      const flat: TermOptions = { kind: 'flat', price: 1_500_000n };
      await play(tester, 10_000_000n, flat);
      await tester.decode(sealPart(1));
      await tester.loadKey(sealContent({ kind: 'flat', price: 0n, segmentId: 101 }));
      await tester.decode(sealPart(2));
      await tester.loadKey(sealContent(flat));
      await tester.decode(sealPart(3));
      expect(await tester.purse()).toMatchObject({ taken: 1_500_000n, used: 1_500_000n, sequence: 3 });
    },
  },
  {
    name: 'flat without credit, above 255 quanta, or of price 0',
    from: 'active',
    async run(tester) {
      await play(tester, 1_000_000n, { kind: 'flat', price: 1_000_001n }, { quantum: 10_000n });
      await tester.decode(sealPart(1), STATUS.NO_CREDIT);
      await tester.loadKey(sealContent({ kind: 'flat', price: 2_550_001n }));
      await tester.decode(sealPart(1), STATUS.ABOVE_CEILING);
      await tester.loadKey(sealContent({ kind: 'flat', price: 0n }));
      await tester.decode(sealPart(1));
      expect(await tester.purse()).toMatchObject({ taken: 0n, session: 0, sequence: 2 });
      await tester.loadKey(sealContent({ kind: 'flat', price: 1_000_000n }));
      await tester.decode(sealPart(2));
      expect((await tester.purse()).taken).toBe(1_000_000n);
    },
  },
];
