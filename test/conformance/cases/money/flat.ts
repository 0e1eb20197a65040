import { expect } from 'vitest';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import {
  END,
  makeFixedKey,
  sealContent,
  sealPart,
  sealService,
  SERVICE,
  SERVICE_KEY_ID,
  type TermOptions,
} from '../../messages/messages.ts';
import { play, replay } from '../../messages/playing.ts';
import { SEGMENT_PURCHASE_ID, sealSegmentPurchase } from '../../messages/purchase-messages.ts';
import type { Case } from '../../tester.ts';
import { leave } from '../requests/leave.ts';

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
    name: 'flat: bought once, also over sessions and after a cut; another segment costs, and the first one stays paid',
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
      expect(await tester.purse()).toMatchObject({ taken: 0n, spent: 3_000_000n });
    },
  },
  {
    name: 'flat: A, B, A pays A once, in one session and after a reset',
    from: 'active',
    async run(tester) {
      const a: TermOptions = { kind: 'flat', price: 1_500_000n };
      const b: TermOptions = { kind: 'flat', price: 2_000_000n, segmentId: 101 };
      await play(tester, 10_000_000n, a);
      let group = 1;
      for (const [terms, used] of [
        [a, 1_500_000n],
        [b, 3_500_000n],
        [a, 3_500_000n],
        [b, 3_500_000n],
        [a, 3_500_000n],
      ] as const) {
        await tester.loadKey(sealContent(terms));
        await tester.decode(sealPart(group++));
        await tester.decode(sealPart(group++));
        expect((await tester.purse()).used).toBe(used);
      }
      await tester.reset();
      await replay(tester, a);
      await tester.decode(sealPart(group++));
      await tester.loadKey(sealContent(b));
      await tester.decode(sealPart(group++));
      expect(await tester.purse()).toMatchObject({ spent: 3_500_000n, taken: 0n, sequence: 5 });
    },
  },
  {
    name: 'flat: eight segments of a place stay paid, a ninth pushes out the first',
    from: 'active',
    async run(tester) {
      const at = (segmentId: number): TermOptions => ({ kind: 'flat', price: 250_000n, segmentId });
      await play(tester, 10_000_000n, at(1));
      let group = 1;
      const watch = async (segment: number): Promise<bigint> => {
        await tester.loadKey(sealContent(at(segment)));
        await tester.decode(sealPart(group++));
        return (await tester.purse()).used / 250_000n;
      };
      for (let segment = 1; segment <= 8; segment++) expect(await watch(segment)).toBe(BigInt(segment));
      for (let segment = 1; segment <= 8; segment++) expect(await watch(segment)).toBe(8n);
      expect(await watch(9)).toBe(9n);
      for (let segment = 2; segment <= 9; segment++) expect(await watch(segment)).toBe(9n);
      expect(await watch(1)).toBe(10n);
      expect(await watch(2)).toBe(11n);
      for (let segment = 4; segment <= 9; segment++) expect(await watch(segment)).toBe(11n);
      for (let segment = 10; segment <= 20; segment++) expect(await watch(segment)).toBe(BigInt(segment) + 2n);
      for (let segment = 13; segment <= 20; segment++) expect(await watch(segment)).toBe(22n);
    },
  },
  {
    name: 'flat: a segment stays paid when its purchase is extended, left, replaced, bought anew or deleted',
    from: 'active',
    async run(tester) {
      const flat: TermOptions = { kind: 'flat', price: 1_500_000n };
      await play(tester, 10_000_000n, flat);
      let group = 1;
      const watch = async (parentId = SERVICE_KEY_ID): Promise<bigint> => {
        await tester.loadKey(sealContent(flat, { parentKind: KIND.service, parentId }));
        await tester.decode(sealPart(group++));
        return (await tester.purse()).used;
      };
      expect(await watch()).toBe(1_500_000n);
      await tester.loadKey(sealService(2, {}, { to: END + 1 }));
      expect(await watch()).toBe(1_500_000n);
      await leave(tester, SERVICE_KEY_ID, END);
      await tester.loadKey(sealService(3, {}, { key: makeFixedKey('another') }));
      await tester.loadKey(sealService(4));
      expect(await watch()).toBe(1_500_000n);
      await tester.loadKey(sealService(5, {}, { keyId: 2 }));
      expect(await watch(2)).toBe(1_500_000n);
      await tester.deleteKey(KIND.service, SERVICE, SERVICE_KEY_ID);
      expect(await watch(2)).toBe(1_500_000n);
      // A purchase of the same service in that place ends nothing, one of another service does.
      await tester.loadKey(sealService(6));
      await tester.deleteKey(KIND.service, SERVICE, SERVICE_KEY_ID);
      expect(await watch(2)).toBe(1_500_000n);
      await tester.loadKey(sealService(7, {}, { service: 8 }));
      expect(await watch(2)).toBe(3_000_000n);
    },
  },
  {
    name: 'flat: what a segment bought by itself paid counts for the service, and the reverse',
    from: 'active',
    async run(tester) {
      await play(tester, 10_000_000n, { kind: 'flat', price: 1_500_000n });
      await tester.loadKey(sealSegmentPurchase(2));
      const bought = (segmentId: number) =>
        sealContent({ kind: 'flat', price: 1_000_000n, segmentId }, { parentId: SEGMENT_PURCHASE_ID });
      await tester.decode(sealPart(1));
      await tester.loadKey(bought(100));
      await tester.decode(sealPart(2));
      expect((await tester.purse()).used).toBe(1_500_000n);
      await tester.loadKey(bought(200));
      await tester.decode(sealPart(3));
      await tester.loadKey(sealContent({ kind: 'flat', price: 1_500_000n, segmentId: 200 }));
      await tester.decode(sealPart(4));
      expect((await tester.purse()).used).toBe(2_500_000n);
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
    name: 'flat: a segment id is its service’s own, and each service keeps what was paid',
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
      expect(await tester.purse()).toMatchObject({ spent: 3_000_000n, taken: 0n, session: 2 });
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
