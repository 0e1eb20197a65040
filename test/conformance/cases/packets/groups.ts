import { expect } from 'vitest';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import {
  sealPart,
  CEILINGS,
  CONTENT_KEY_ID,
  sealContent,
  END,
  SECOND_SSRC,
  SSRC,
  START,
} from '../../messages/messages.ts';
import type { Case } from '../../tester.ts';

export const groupCases: readonly Case[] = [
  {
    name: 'groups rise: the last one again is free, an older one is 9406, gaps are nothing',
    from: 'playing',
    async run(tester) {
      const part = sealPart(5);
      const first = await tester.decode(part);
      const after = await tester.purse();
      expect(await tester.decode(part)).toEqual(first);
      expect(await tester.purse()).toEqual(after);
      await tester.refused(sealPart(4), STATUS.OLD_GROUP);
      await tester.refused(sealPart(1), STATUS.OLD_GROUP);
      await tester.refused(sealPart(0), STATUS.OLD_GROUP);
      await tester.decode(sealPart(1000));
      await tester.refused(part, STATUS.OLD_GROUP);
      await tester.decode(sealPart(0x7fffffff));
      await tester.refused(sealPart(0x7ffffffe), STATUS.OLD_GROUP);
    },
  },
  {
    name: 'the last group again is decrypted as it stands, with other ceilings or time even',
    from: 'playing',
    async run(tester) {
      await tester.decode(sealPart(5));
      const used = (await tester.purse()).usedTicks;
      const again = { octets: CEILINGS.groupOctets + 1, duration: CEILINGS.groupDuration + 1 };
      expect(await tester.decode(sealPart(5, { ...again, mode: 'open' }))).toHaveLength(48);
      expect((await tester.purse()).usedTicks).toBe(used);
      await tester.refused(sealPart(5, { mediaTime: END }), STATUS.OUTSIDE_VALIDITY);
    },
  },
  {
    name: 'group numbers compare as u32, 0 is never new',
    from: 'playing',
    async run(tester) {
      await tester.refused(sealPart(0), STATUS.OLD_GROUP);
      await tester.decode(sealPart(0x80000000));
      await tester.refused(sealPart(0x7fffffff), STATUS.OLD_GROUP);
      await tester.decode(sealPart(0xffffffff));
      await tester.decode(sealPart(0xffffffff));
      await tester.refused(sealPart(1), STATUS.OLD_GROUP);
    },
  },
  {
    name: 'a group may be asked for again until the next OPEN, also of the same service',
    from: 'playing',
    async run(tester) {
      await tester.decode(sealPart(5));
      await tester.open();
      await tester.refused(sealPart(5), STATUS.OLD_GROUP);
      await tester.decode(sealPart(6));
      await tester.decode(sealPart(6));
      await tester.closeSession();
      await tester.open();
      await tester.refused(sealPart(6), STATUS.OLD_GROUP);
      await tester.select();
      await tester.open();
      await tester.refused(sealPart(6), STATUS.OLD_GROUP);
      await tester.decode(sealPart(7));
    },
  },
  {
    name: 'an OPEN forgets of every stream what was opened, not of the one alone that goes on',
    from: 'playing',
    async run(tester) {
      const other = (group: number): Uint8Array => sealPart(group, { ssrc: SECOND_SSRC });
      await tester.decode(sealPart(5));
      await tester.decode(other(7));
      await tester.decode(sealPart(5));
      await tester.decode(other(7));
      await tester.open();
      await tester.refused(sealPart(5), STATUS.OLD_GROUP);
      await tester.refused(other(7), STATUS.OLD_GROUP);
      await tester.decode(sealPart(6));
      await tester.decode(sealPart(6));
      await tester.refused(other(7), STATUS.OLD_GROUP);
      await tester.decode(other(8));
      await tester.decode(sealPart(6));
    },
  },
  {
    name: 'a new stream moves the others up with what was opened of them',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealContent({ ssrcs: [0x3000, 0x3002] }, { keyId: 5001 }));
      await tester.decode(sealPart(5));
      await tester.open();
      await tester.decode(sealPart(7, { ssrc: SECOND_SSRC }));
      await tester.decode(sealPart(1, { ssrc: 0x3000, contentKeyId: 5001 }));
      await tester.refused(sealPart(5), STATUS.OLD_GROUP);
      await tester.decode(sealPart(7, { ssrc: SECOND_SSRC }));
      await tester.decode(sealPart(1, { ssrc: 0x3002, contentKeyId: 5001 }));
      await tester.refused(sealPart(5), STATUS.OLD_GROUP);
      await tester.decode(sealPart(7, { ssrc: SECOND_SSRC }));
      await tester.decode(sealPart(1, { ssrc: 0x3000, contentKeyId: 5001 }));
    },
  },
  {
    name: 'a free group raises the highest media time like any other',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealContent({}, { keyId: 5001, to: START + 100 }));
      await tester.loadKey(sealContent({}, { keyId: 5002 }), STATUS.NO_ROOM);
      await tester.loadKey(sealContent({ kind: 'free' }));
      await tester.decode(sealPart(1, { mediaTime: START + 100, octets: 0, duration: 0 }));
      await tester.loadKey(sealContent({}, { keyId: 5002 }));
      expect(await tester.keys()).toEqual(['10 7/1', '11 7/100', '12 7/5000', '12 7/5002']);
    },
  },
  {
    name: 'marks of four streams; a fifth takes the place of the one first seen longest ago',
    from: 'playing',
    async run(tester) {
      const stream = async (index: number, group: number, status: number = STATUS.DONE): Promise<void> => {
        const ssrcs = [0x2000 + 4 * Math.floor(index / 2), 0x2002 + 4 * Math.floor(index / 2)] as const;
        const keyId = 7000 + Math.floor(index / 2);
        await tester.loadKey(sealContent({ kind: 'free', ssrcs }, { keyId: keyId % 2 === 0 ? 5000 : 5001 }));
        await tester.decode(
          sealPart(group, { ssrc: ssrcs[index % 2]!, contentKeyId: keyId % 2 === 0 ? 5000 : 5001 }),
          status,
        );
      };
      for (const index of [0, 1, 2, 3]) await stream(index, 10);
      for (const index of [3, 2, 1, 0]) await stream(index, 10);
      for (const index of [0, 1, 2, 3]) await stream(index, 9, STATUS.OLD_GROUP);
      await stream(0, 11);
      await stream(4, 1); // out goes 0, though it was the last to move
      for (const index of [1, 2, 3]) await stream(index, 9, STATUS.OLD_GROUP);
      for (const index of [1, 2, 3]) await stream(index, 10);
      await stream(0, 1); // out goes 1
      await stream(4, 1);
      for (const index of [2, 3]) await stream(index, 9, STATUS.OLD_GROUP);
      await stream(1, 1); // out goes 2
      await stream(2, 1); // out goes 3
      await stream(0, 1);
    },
  },
  {
    name: 'SSRC 0 is a stream like any other',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealContent({ ssrcs: [0, 0x3000] }, { keyId: 5001 }));
      await tester.decode(sealPart(5, { ssrc: 0, contentKeyId: 5001 }));
      for (const ssrc of [0x3000, SSRC, SECOND_SSRC]) {
        await tester.decode(sealPart(1, { ssrc, contentKeyId: ssrc === 0x3000 ? 5001 : CONTENT_KEY_ID }));
        await tester.refused(sealPart(4, { ssrc: 0, contentKeyId: 5001 }), STATUS.OLD_GROUP);
      }
    },
  },
  {
    name: 'a refused group takes no stream’s place and moves no mark',
    from: 'playing',
    async run(tester) {
      const ssrcs = [0, 0x3000] as const;
      await tester.loadKey(sealContent({ ssrcs }, { keyId: 5001 }));
      const part = (ssrc: number, group: number, octets = 10): Uint8Array =>
        sealPart(group, { ssrc, contentKeyId: 5001, octets });
      await tester.refused(part(0x3000, 9, CEILINGS.groupOctets + 1), STATUS.ABOVE_CEILING);
      await tester.decode(part(0x3000, 5));
      await tester.refused(part(0x3000, 9, CEILINGS.groupOctets + 1), STATUS.ABOVE_CEILING);
      await tester.decode(part(0x3000, 6));
      await tester.decode(part(0, 3));
      await tester.refused(part(0, 2), STATUS.OLD_GROUP);
      await tester.decode(part(0, 4));
    },
  },
];
