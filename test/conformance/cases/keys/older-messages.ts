import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { END, SERVICE, SERVICE_KEY_ID, sealService, START } from '../../messages/messages.ts';
import {
  SEED_PURCHASE_ID,
  sealSeedParts,
  SEGMENT_PURCHASE_ID,
  sealSegmentPurchase,
  sealUnderSlot,
} from '../../messages/purchase-messages.ts';
import type { Case } from '../../tester.ts';
import { leave } from '../requests/leave.ts';

const MIDDLE = START + 1000;

export const olderMessageCases: readonly Case[] = [
  {
    name: 'an older message of a purchase that is here: 940B; its number is still good for another',
    from: 'active',
    long: true,
    async run(tester) {
      await tester.loadKey(sealService(6, {}, { to: MIDDLE }));
      await tester.loadKey(sealService(5, {}, { to: END }), STATUS.OLD_NUMBER);
      await tester.loadKey(sealService(5, {}, { keyId: 2 }));
      await tester.loadKey(sealSegmentPurchase(9));
      await tester.loadKey(sealSegmentPurchase(8), STATUS.OLD_NUMBER);
      // Of seeds it is the number of the purchase that counts, and it comes before what else differs.
      const [older] = sealSeedParts(14, 0, 8);
      const newer = sealSeedParts(20, 5, 8171);
      await tester.loadKey(newer[1]!);
      await tester.loadKey(older!, STATUS.OLD_NUMBER);
      await tester.loadKey(newer[0]!);
      await tester.loadKey(sealSeedParts(23, 0, 8)[0]!, STATUS.BAD_FIELD);
    },
  },
  {
    name: 'a leave takes every number up to the purchase’s: what was held back brings nothing back',
    from: 'active',
    async run(tester) {
      const held = [4, 5].map((number) => sealService(number, {}, { to: END }));
      const other = sealSegmentPurchase(3);
      await tester.loadKey(sealService(6, {}, { to: MIDDLE }));
      await leave(tester, SERVICE_KEY_ID, START);
      await tester.deleteKey(KIND.service, SERVICE, SERVICE_KEY_ID);
      for (const message of [...held, other]) await tester.loadKey(message, STATUS.OLD_NUMBER);
      await tester.loadKey(sealService(7));
    },
  },
  {
    name: 'also where the end stays as it is',
    from: 'active',
    async run(tester) {
      const longer = sealService(5, {}, { to: END });
      await tester.loadKey(sealService(6, {}, { to: MIDDLE }));
      await leave(tester, SERVICE_KEY_ID, MIDDLE);
      await tester.deleteKey(KIND.service, SERVICE, SERVICE_KEY_ID);
      await tester.loadKey(longer, STATUS.OLD_NUMBER);
    },
  },
  {
    name: 'also of seeds, whose last part counts',
    from: 'active',
    long: true,
    async run(tester) {
      const older = sealSeedParts(40, 0, 8)[0]!;
      const parts = sealSeedParts(50, 1, 2 ** 14 - 1);
      await tester.loadKey(parts[0]!);
      await leave(tester, SEED_PURCHASE_ID, START);
      await tester.deleteKey(KIND.seeds, SERVICE, SEED_PURCHASE_ID);
      await tester.loadKey(older, STATUS.OLD_NUMBER);
      for (const part of parts) await tester.loadKey(part, STATUS.OLD_NUMBER);
      await tester.loadKey(sealUnderSlot(3), STATUS.UNKNOWN_KEY);
      await tester.loadKey(sealService(53), STATUS.OLD_NUMBER);
      await tester.loadKey(sealService(54));
    },
  },
  {
    name: 'a number is far behind or far ahead by any distance',
    from: 'active',
    async run(tester) {
      let high = 1000;
      await tester.loadKey(sealService(high, {}, { keyId: 2 }));
      for (const distance of [33, 127, 128, 200, 255, 256, 65_536]) {
        high += distance;
        await tester.loadKey(sealService(high, {}, { keyId: 3 }));
        await tester.loadKey(sealService(high - distance, {}, { keyId: 4 }), STATUS.OLD_NUMBER);
        await tester.loadKey(sealService(high - distance + 1, {}, { keyId: 4 }), STATUS.OLD_NUMBER);
      }
    },
  },
  {
    name: 'a leave of a purchase from below the window leaves the numbers above it open',
    from: 'active',
    async run(tester) {
      await tester.loadKey(sealSegmentPurchase(10));
      await tester.loadKey(sealService(100));
      await leave(tester, SEGMENT_PURCHASE_ID, START);
      await tester.loadKey(sealService(69, {}, { keyId: 2 }));
      await tester.loadKey(sealSegmentPurchase(75));
      await leave(tester, SEGMENT_PURCHASE_ID, START);
      await tester.loadKey(sealService(74, {}, { keyId: 3 }), STATUS.OLD_NUMBER);
      await tester.loadKey(sealService(76, {}, { keyId: 3 }));
    },
  },
];
