import { expect } from 'vitest';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { TICKS_PER_MICRO_UNIT } from '../../../../apdu/decode-module/money/tariff.ts';
import { sealPart, sealContent, MAXIMUM, sealService, START } from '../../messages/messages.ts';
import { play } from '../../messages/playing.ts';
import type { Case } from '../../tester.ts';

export const purseCases: readonly Case[] = [
  {
    name: '25,000,000 octets at 0.25 USD/MB cost 6.25 USD, exactly',
    from: 'playing',
    async run(tester) {
      for (let group = 1; group <= 25; group++)
        await tester.decode(sealPart(group, { octets: 1_000_000, packets: 800 }));
      expect(await tester.purse()).toMatchObject({ balance: 3_750_000n, taken: 6_250_000n, used: 6_250_000n });
      const receipt = await tester.closeSession();
      expect(receipt).toMatchObject({ amount: 6_250_000n, octets: 25_000_000, groups: 25, spent: 6_250_000n });
      expect(await tester.purse()).toMatchObject({ balance: 3_750_000n, taken: 0n, usedTicks: 0n, service: 0 });
    },
  },
  {
    name: '30 minutes at 5.00 USD/h cost 2.50 USD, exactly',
    from: 'active',
    async run(tester) {
      await play(tester, 3_000_000n, { kind: 'duration', price: 5_000_000n });
      for (let group = 1; group <= 30; group++) await tester.decode(sealPart(group, { duration: 60_000 }));
      expect(await tester.closeSession()).toMatchObject({ amount: 2_500_000n, duration: 1_800_000, groups: 30 });
      expect((await tester.purse()).balance).toBe(500_000n);
    },
  },
  {
    name: 'fractions of a micro-unit add up and are rounded up once, when the session settles',
    from: 'active',
    async run(tester) {
      await play(tester, 1_000_000n, { price: 1n });
      for (let group = 1; group <= 3; group++) await tester.decode(sealPart(group, { octets: 1 }));
      expect(await tester.purse()).toMatchObject({ usedTicks: 54n, used: 1n, taken: 250_000n });
      expect(await tester.closeSession()).toMatchObject({ amount: 1n });
      await tester.open();
      await tester.decode(sealPart(4, { octets: 999_999 }));
      await tester.decode(sealPart(5, { octets: 1 }));
      expect((await tester.purse()).usedTicks).toBe(TICKS_PER_MICRO_UNIT);
      expect(await tester.closeSession()).toMatchObject({ amount: 1n });
      await tester.open();
      await tester.loadKey(sealContent({ kind: 'duration', price: 1n }));
      await tester.decode(sealPart(6, { duration: 7 }));
      expect((await tester.purse()).usedTicks).toBe(35n);
    },
  },
  {
    name: 'ticks of the largest price, octets and duration',
    from: 'active',
    async run(tester) {
      const most = { perMegabyte: 0xffffffffn, perHour: 0xffffffffn, groupOctets: 0xffffff, groupDuration: 0xffffff };
      const price = 0xffffffffn;
      await play(tester, MAXIMUM, { price }, { ...most, quantum: 2n ** 39n - 1n });
      await tester.decode(sealPart(1, { octets: 0xffffff, duration: 0xffffff }), STATUS.NO_CREDIT);
      await tester.decode(sealPart(1, { octets: 20_000, duration: 0xffffff }));
      await tester.loadKey(sealContent({ kind: 'duration', price }));
      await tester.decode(sealPart(2, { octets: 0xffffff, duration: 11_111 }));
      const ticks = 20_000n * price * 18n + 11_111n * price * 5n;
      expect(await tester.purse()).toMatchObject({ taken: MAXIMUM, usedTicks: ticks });
    },
  },
  {
    name: 'a take is the least number of quanta that covers the group',
    from: 'active',
    async run(tester) {
      await play(tester, 50_000_000n, { price: 1_000_000n }, { quantum: 1_000n });
      const after = async (group: number, octets: number): Promise<readonly [bigint, number]> => {
        await tester.decode(sealPart(group, { octets }));
        const { taken, sequence } = await tester.purse();
        return [taken, sequence];
      };
      expect(await after(1, 1)).toEqual([1_000n, 3]);
      expect(await after(2, 999)).toEqual([1_000n, 3]);
      expect(await after(3, 1)).toEqual([2_000n, 4]);
      expect(await after(4, 5_000)).toEqual([7_000n, 5]);
      expect(await after(5, 999)).toEqual([7_000n, 5]);
      expect(await after(6, 255_000)).toEqual([262_000n, 6]);
    },
  },
  {
    name: 'more than 255 quanta for one group: 9402',
    from: 'active',
    async run(tester) {
      await play(tester, 50_000_000n, { price: 1_000_000n }, { quantum: 1_000n });
      await tester.decode(sealPart(1, { octets: 255_001 }), STATUS.ABOVE_CEILING);
      await tester.decode(sealPart(1, { octets: 255_000 }));
      expect(await tester.purse()).toMatchObject({ taken: 255_000n, used: 255_000n, sequence: 3 });
      await tester.decode(sealPart(2, { octets: 255_001 }), STATUS.ABOVE_CEILING);
      await tester.decode(sealPart(2, { octets: 0 }));
    },
  },
  {
    name: 'the take is what is left when that is less than the quanta; then 9401',
    from: 'active',
    async run(tester) {
      await play(tester, 300n, { price: 1_000_000n }, { quantum: 250n });
      await tester.decode(sealPart(1, { octets: 100 }));
      expect(await tester.purse()).toMatchObject({ taken: 250n, available: 50n });
      await tester.decode(sealPart(2, { octets: 201 }), STATUS.NO_CREDIT);
      await tester.decode(sealPart(2, { octets: 200 }));
      expect(await tester.purse()).toMatchObject({ taken: 300n, available: 0n, used: 300n, sequence: 4 });
      await tester.decode(sealPart(3, { octets: 1 }), STATUS.NO_CREDIT);
      await tester.decode(sealPart(3, { octets: 0 }));
      expect(await tester.closeSession()).toMatchObject({ amount: 300n });
      expect((await tester.purse()).balance).toBe(0n);
    },
  },
  {
    name: '9402 for too many quanta comes before 9401',
    from: 'active',
    async run(tester) {
      await play(tester, 100n, { price: 1_000_000n }, { quantum: 1n });
      await tester.decode(sealPart(1, { octets: 256 }), STATUS.ABOVE_CEILING);
      await tester.decode(sealPart(1, { octets: 255 }), STATUS.NO_CREDIT);
      await tester.decode(sealPart(1, { octets: 100 }));
    },
  },
  {
    name: 'CLOSE gives back what was taken and not used',
    from: 'playing',
    async run(tester) {
      await tester.decode(sealPart(1, { octets: 1000 }));
      expect(await tester.purse()).toMatchObject({ taken: 250_000n, available: 9_750_000n, balance: 9_999_750n });
      await tester.closeSession();
      expect(await tester.purse()).toMatchObject({
        taken: 0n,
        available: 9_999_750n,
        balance: 9_999_750n,
        sequence: 4,
      });
    },
  },
  {
    name: 'a session that takes nothing writes nothing',
    from: 'playing',
    async run(tester) {
      const before = await tester.purse();
      await tester.loadKey(sealContent({ kind: 'free' }));
      await tester.decode(sealPart(1));
      expect(await tester.closeSession()).toBeUndefined();
      expect(await tester.purse()).toMatchObject({
        sequence: before.sequence,
        spent: 0n,
        taken: 0n,
        usedTicks: 0n,
        service: 0,
      });
      await tester.open();
      expect(await tester.closeSession()).toBeUndefined();
      expect(await tester.closeSession()).toBeUndefined();
    },
  },
  {
    name: 'OPEN of another service and SELECT settle as CLOSE does; OPEN of the same does not',
    from: 'playing',
    async run(tester) {
      await tester.decode(sealPart(1));
      await tester.open();
      expect(await tester.purse()).toMatchObject({ taken: 250_000n, receiptsWritten: 0 });
      await tester.open(8);
      expect(await tester.purse()).toMatchObject({
        taken: 0n,
        usedTicks: 0n,
        receiptsWritten: 1,
        service: 8,
        session: 1,
      });
      await tester.open();
      await tester.decode(sealPart(2));
      await tester.open(0, STATUS.BAD_FIELD);
      expect(await tester.purse()).toMatchObject({ taken: 250_000n, service: 7, session: 2 });
      await tester.select();
      expect(await tester.purse()).toMatchObject({ taken: 0n, receiptsWritten: 2, service: 0, session: 2 });
      expect(await tester.receipt(2)).toMatchObject({ number: 2, session: 2, reason: 'closed', amount: 3_290n });
    },
  },
  {
    name: 'a receipt counts every opened group, free ones too, and says first and last',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealContent({ kind: 'free', segmentId: 99 }));
      await tester.decode(sealPart(1, { mediaTime: START + 10, octets: 100, duration: 1 }));
      await tester.loadKey(sealContent({ segmentId: 100 }));
      await tester.decode(sealPart(2, { mediaTime: START + 30, octets: 200, duration: 2 }));
      await tester.loadKey(sealContent({ segmentId: 101 }));
      await tester.decode(sealPart(3, { mediaTime: START + 20, octets: 300, duration: 4 }));
      await tester.decode(sealPart(3, { mediaTime: START + 20, octets: 300, duration: 4 }));
      expect(await tester.closeSession()).toMatchObject({
        number: 1,
        service: 7,
        session: 1,
        firstSegment: 99,
        lastSegment: 101,
        octets: 600,
        duration: 7,
        groups: 3,
        from: START + 10,
        to: START + 20,
        amount: 125n,
        torn: 0n,
        loaded: 10_000_000n,
        spent: 125n,
        currency: 840,
        reason: 'closed',
      });
    },
  },
  {
    name: 'a session settles what its own purchase was; the next one has its own quantum',
    from: 'playing',
    async run(tester) {
      await tester.decode(sealPart(1));
      await tester.loadKey(sealService(2, { quantum: 1_000n }, { keyId: 2 }));
      await tester.loadKey(sealContent({}, { parentKind: KIND.service, parentId: 2, keyId: 5001 }));
      await tester.decode(sealPart(2, { contentKeyId: 5001, octets: 1_000_000 }));
      expect(await tester.purse()).toMatchObject({ taken: 254_000n, used: 253_290n });
    },
  },
];
