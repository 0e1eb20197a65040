import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { encodeBlind, sealBlind } from '../../../../apdu/decode-module/packets/blind-blocks.ts';
import { sealPart, sealContent, SSRC, START } from '../../messages/messages.ts';
import { BLIND_KEY_ID, makeBlindCipher, sealBlindContent } from '../../messages/purchase-messages.ts';
import type { Case } from '../../tester.ts';
import { DAY, END, limited, PIN, setSpendLimit } from '../card/limits.ts';

const FLAT_KEY = 5001;

export const dayCases: readonly Case[] = [
  {
    name: 'what a day took and another used: the close gives the later day nothing, and takes nothing from it',
    from: 'blank',
    async run(tester) {
      await limited(tester, {});
      await tester.decode(sealPart(1, { octets: 1000, mediaTime: START }));
      await tester.loadKey(sealContent({ kind: 'flat', price: 100_000n }, { keyId: FLAT_KEY, to: END }));
      await tester.decode(sealPart(2, { contentKeyId: FLAT_KEY, mediaTime: START + DAY }));
      expect(await tester.record()).toMatchObject({ taken: 250_000n, day: START / DAY + 1, spentOfDay: 0n });
      await tester.closeSession();
      expect(await tester.record()).toMatchObject({ spent: 100_250n, day: START / DAY + 1, spentOfDay: 0n });
    },
  },
  {
    name: 'what was taken already pays a flat price also when the limit has come down below it',
    from: 'blank',
    async run(tester) {
      await limited(tester, { spendLimit: 500_000n });
      await tester.decode(sealPart(1, { octets: 1000, mediaTime: START }));
      await tester.send(INS.VERIFY, PIN);
      await setSpendLimit(tester, 100_000);
      await tester.loadKey(sealContent({ kind: 'flat', price: 100_000n, segmentId: 1 }, { keyId: FLAT_KEY, to: END }));
      await tester.decode(sealPart(2, { contentKeyId: FLAT_KEY, mediaTime: START }));
      expect(await tester.record()).toMatchObject({ taken: 250_000n, spentOfDay: 250_000n });
      await tester.loadKey(sealContent({ kind: 'flat', price: 200_000n, segmentId: 2 }, { keyId: FLAT_KEY, to: END }));
      await tester.decode(sealPart(3, { contentKeyId: FLAT_KEY, mediaTime: START }), STATUS.SPEND_LIMIT);
    },
  },
  {
    name: 'blind blocks have no media time: what they cost counts to the day of the record',
    from: 'blank',
    async run(tester) {
      await limited(tester, { spendLimit: 600_000n });
      await tester.decode(sealPart(1, { octets: 1_000_000, mediaTime: START + DAY }));
      await tester.loadKey(sealBlindContent({ kind: 'flat', price: 300_000n }));
      const packet = { keyId: BLIND_KEY_ID, ssrc: SSRC, number: 1 };
      const data = encodeBlind(packet, sealBlind(makeBlindCipher(), packet, new Uint8Array(16)));
      const decodeBlind = (status: number) =>
        tester.command({ cla: 0x80, ins: INS.DECODE, p1: 1, p2: 0, data, le: 256 }, status);
      await decodeBlind(STATUS.DONE);
      expect(await tester.record()).toMatchObject({ day: START / DAY + 1, spentOfDay: 600_000n, taken: 600_000n });
      await tester.loadKey(sealBlindContent({ kind: 'flat', price: 100_000n, segmentId: 2 }));
      await decodeBlind(STATUS.SPEND_LIMIT);
    },
  },
];
