import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { parseKeyList } from '../../../../apdu/decode-module/keys/key-list.ts';
import { keyBodyAt } from '../../../../apdu/decode-module/keys/key-message.ts';
import { splitSlots, SLOTS } from '../../../../apdu/decode-module/keys/marks.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { CONTENT_TERMS, KEY_MESSAGE_HEADER as KEY, SEED_LABEL, SEED_MESSAGE } from '../../../../apdu/layout/keys.ts';
import { CARD_KEYS, sealPart, END, sealAnew, SERVICE, makeSpan, START } from '../../messages/messages.ts';
import { SEED_PURCHASE_ID, sealSeedParts, sealUnderSlot } from '../../messages/purchase-messages.ts';
import type { Case, Tester } from '../../tester.ts';

/** Where the body stands. */
const BODY_AT = keyBodyAt(KIND.content);

const FREE = { kind: 'free' } as const;

/** Whether a slot's content plays. */
async function plays(tester: Tester, slot: number, group: number): Promise<void> {
  await tester.loadKey(sealUnderSlot(slot, {}, FREE));
  expect(await tester.decode(sealPart(group))).toEqual(makeSpan({ group, spanBlocks: 4 }));
}

export const slotCases: readonly Case[] = [
  {
    name: 'slots in the cover open, slots beside it do not; parts in any order',
    from: 'active',
    long: true,
    async run(tester) {
      await tester.open();
      const [first, end] = [5, 8171];
      const parts = sealSeedParts(40, first, end);
      expect(parts).toHaveLength(3);
      await tester.loadKey(parts[1]!);
      await tester.loadKey(sealUnderSlot(first), STATUS.UNKNOWN_KEY);
      await tester.loadKey(sealUnderSlot(end - 1), STATUS.UNKNOWN_KEY);
      await plays(tester, 1024, 1);
      await tester.loadKey(parts[2]!);
      await plays(tester, end - 1, 2);
      await tester.loadKey(parts[0]!);
      let group = 3;
      for (const slot of [first, first + 1, 7, 8, 1023, 2047, 2048, 8000]) await plays(tester, slot, group++);
      for (const slot of [0, first - 1, end, end + 1, SLOTS - 1])
        await tester.loadKey(sealUnderSlot(slot), STATUS.UNKNOWN_KEY);
      await tester.reset();
      await tester.select();
      await tester.open();
      await plays(tester, 2000, group);
      expect(parseKeyList(await tester.send(INS.LIST_KEYS))).toEqual([
        { kind: KIND.seeds, parentKind: KIND.unique, service: SERVICE, keyId: SEED_PURCHASE_ID, from: START, to: END },
        { kind: KIND.content, parentKind: KIND.slot, service: SERVICE, keyId: 5000, from: START, to: END },
      ]);
    },
  },
  {
    name: 'any range of slots: the whole tree, one slot, and all but the first and the last in two purchases',
    from: 'active',
    long: true,
    async run(tester) {
      await tester.open();
      await tester.loadKey(sealSeedParts(1, 0, SLOTS, { keyId: 1 })[0]!);
      await plays(tester, 0, 1);
      await plays(tester, 0x5a5a5, 2);
      await plays(tester, SLOTS - 1, 3);
      await tester.deleteKey(KIND.seeds, SERVICE, 1);
      await tester.loadKey(sealSeedParts(2, 0x80000, 0x80001, { keyId: 2 })[0]!);
      await plays(tester, 0x80000, 4);
      await tester.loadKey(sealUnderSlot(0x80001), STATUS.UNKNOWN_KEY);
      await tester.deleteKey(KIND.seeds, SERVICE, 2);
      const ranges = splitSlots(1, SLOTS - 1);
      expect(ranges).toHaveLength(2);
      let number = 3;
      for (const [i, { from, to, labels }] of ranges.entries()) {
        for (const part of sealSeedParts(number, from, to, { keyId: 3 + i, labels })) await tester.loadKey(part);
        number += 4;
      }
      let group = 5;
      for (const { from, to } of ranges) {
        for (const slot of [from, to - 1, (from + to) >> 1]) await plays(tester, slot, group++);
      }
      for (const slot of [0, SLOTS - 1]) await tester.loadKey(sealUnderSlot(slot), STATUS.UNKNOWN_KEY);
    },
  },
  {
    name: 'a part that is not of the purchase: 6A80',
    from: 'active',
    long: true,
    async run(tester) {
      const right = sealSeedParts(40, 1, 1000);
      await tester.loadKey(right[0]!);
      const wrong = [
        sealSeedParts(40, 1, 1000, { from: START + 1 })[1]!,
        sealSeedParts(40, 1, 1000, { to: END - 1 })[1]!,
        sealSeedParts(40, 1, 1000, { perMegabyte: 1n })[1]!,
        sealSeedParts(41, 1, 1000)[1]!,
        sealSeedParts(40, 1, 3000)[1]!,
      ];
      for (const message of wrong) await tester.loadKey(message, STATUS.BAD_FIELD);
      await tester.loadKey(sealSeedParts(39, 1, 1000)[1]!, STATUS.OLD_NUMBER);
      await tester.loadKey(right[1]!);
      await tester.loadKey(sealSeedParts(60, 1, 1000)[0]!, STATUS.BAD_FIELD);
      await tester.deleteKey(KIND.seeds, SERVICE, SEED_PURCHASE_ID);
      await tester.loadKey(sealSeedParts(60, 1, 1000)[0]!);
      await tester.loadKey(sealUnderSlot(999), STATUS.UNKNOWN_KEY);
    },
  },
  {
    name: 'four purchases of slots, a fifth only after one is deleted',
    from: 'active',
    long: true,
    async run(tester) {
      for (let i = 1; i <= 4; i++) await tester.loadKey(sealSeedParts(i, 0, 8, { keyId: i })[0]!);
      await tester.loadKey(sealSeedParts(5, 8, 16, { keyId: 5 })[0]!, STATUS.NO_ROOM);
      await tester.deleteKey(KIND.seeds, SERVICE, 2);
      await tester.loadKey(sealSeedParts(5, 8, 16, { keyId: 5 })[0]!);
      await tester.loadKey(sealUnderSlot(9));
      await tester.loadKey(sealUnderSlot(1));
    },
  },
  {
    name: 'of two purchases of a slot the one that ends last is meant',
    from: 'active',
    long: true,
    async run(tester) {
      await tester.loadKey(sealSeedParts(1, 0, 8, { keyId: 1, to: START + 500, perMegabyte: 10n })[0]!);
      await tester.loadKey(sealSeedParts(2, 0, 4, { keyId: 2, perMegabyte: 20n })[0]!);
      await tester.loadKey(sealUnderSlot(3, {}, { price: 20n }));
      await tester.loadKey(sealUnderSlot(5, {}, { price: 20n }), STATUS.ABOVE_CEILING);
      await tester.loadKey(sealUnderSlot(5, {}, { price: 10n }));
      await tester.loadKey(sealUnderSlot(5, { from: START + 500 }, { price: 10n }), STATUS.OUTSIDE_VALIDITY);
      await tester.loadKey(sealUnderSlot(3, { from: START + 500 }, { price: 10n }));
      // Of equal ends the first by slot, though it came later.
      await tester.deleteKey(KIND.seeds, SERVICE, 1);
      await tester.loadKey(sealSeedParts(3, 0, 4, { keyId: 3, perMegabyte: 10n })[0]!);
      await tester.loadKey(sealUnderSlot(3, {}, { price: 20n }), STATUS.ABOVE_CEILING);
      await tester.loadKey(sealUnderSlot(3, {}, { price: 10n }));
    },
  },
  {
    name: 'a message under a slot that is cut short or forged, or names no slot',
    from: 'active',
    long: true,
    async run(tester) {
      await tester.loadKey(sealSeedParts(1, 0, 8)[0]!);
      const message = sealUnderSlot(3);
      for (const length of [56, 63, 64, 103]) await tester.loadKey(message.subarray(0, length), STATUS.CRYPTO);
      for (const at of [4, 8, 32, 48, 96]) {
        const forged = message.slice();
        forged[at]! ^= 1;
        await tester.loadKey(forged, at === 4 ? STATUS.UNKNOWN_KEY : STATUS.CRYPTO);
      }
      for (const slot of [SLOTS, 2 ** 24 + 3, 2 ** 32 - 1]) {
        const beyond = message.slice();
        KEY.writeUint(beyond, 'parentId', slot);
        await tester.loadKey(beyond, STATUS.UNKNOWN_KEY);
      }
      const epoch = message.slice();
      CONTENT_TERMS.writeUint(epoch, 'epoch', 1, BODY_AT);
      await tester.loadKey(epoch, STATUS.UNKNOWN_KEY);
      await tester.loadKey(message);
    },
  },
  {
    name: 'an index of 2^L and more is no node of level L: 6A80',
    from: 'active',
    long: true,
    async run(tester) {
      const message = sealSeedParts(1, 0, 8)[0]!;
      const labelled = (level: number, index: number): Uint8Array =>
        sealAnew(message, CARD_KEYS.downlink, (octets) =>
          SEED_LABEL.writeUints(octets, { level, index }, SEED_MESSAGE.at.ceilings - SEED_LABEL.length),
        );
      for (let level = 0; level <= 20; level++) await tester.loadKey(labelled(level, 2 ** level), STATUS.BAD_FIELD);
      for (const level of [0, 1, 8, 15, 16, 20]) await tester.loadKey(labelled(level, 2 ** 24 - 1), STATUS.BAD_FIELD);
      for (const level of [21, 0x7f, 0x80, 0xfe]) await tester.loadKey(labelled(level, 0), STATUS.BAD_FIELD);
      await tester.loadKey(labelled(0xff, 1), STATUS.BAD_FIELD);
      await tester.loadKey(labelled(20, 2 ** 20 - 1));
    },
  },
  {
    name: 'a seed message with every label empty is a part that covers nothing',
    from: 'active',
    long: true,
    async run(tester) {
      const empty = sealAnew(sealSeedParts(1, 0, 8)[0]!, CARD_KEYS.downlink, (octets) => {
        for (let at = 160; at < 192; at++) octets[at] = at % 4 === 0 ? 0xff : 0;
      });
      await tester.loadKey(empty);
      await tester.loadKey(sealUnderSlot(3), STATUS.UNKNOWN_KEY);
    },
  },
];
