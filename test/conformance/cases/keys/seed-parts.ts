import { encodeCeilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import { type SeedLabel, deriveSeedKey } from '../../../../apdu/decode-module/keys/marks.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { KEY_MESSAGE_HEADER as KEY } from '../../../../apdu/layout/keys.ts';
import { concat, writeUint } from '../../../../apdu/octets.ts';
import { sealAny, CARD_KEYS, sealPart, CEILINGS, END, sealAnew, SERVICE } from '../../messages/messages.ts';
import { SEED_PURCHASE_ID, SEED_ROOT, sealUnderSlot } from '../../messages/purchase-messages.ts';
import type { Case } from '../../tester.ts';

const FREE = { kind: 'free' } as const;
const NO_SEED = { level: 0xff, index: 0 };
const WRONG = new Uint8Array(16).fill(0x77);

interface Seed extends SeedLabel {
  /** What stands under the label; that of the tree unless told. */
  readonly key?: Uint8Array;
}

/** A part with any labels, number and part number. @param parts 1 to 4. */
function partMessage(number: number, part: number, parts: number, seeds: readonly Seed[]): Uint8Array {
  const keys = new Uint8Array(128);
  const labels = new Uint8Array(32);
  for (let i = 0; i < 8; i++) {
    const { level, index, key } = seeds[i] ?? { ...NO_SEED, key: new Uint8Array(16) };
    writeUint(labels, 4 * i, 4, level * 2 ** 24 + index);
    keys.set(key ?? deriveSeedKey(SEED_ROOT, { level, index }), 16 * i);
  }
  const options = { key: keys, keyId: SEED_PURCHASE_ID, number };
  const message = sealAny(KIND.seeds, concat(labels, encodeCeilings(CEILINGS)), options);
  return sealAnew(message, CARD_KEYS.downlink, (octets) => void (octets[25] = part | ((parts - 1) << 2)));
}

export const seedPartCases: readonly Case[] = [
  {
    name: 'of labels that overlap the first in the lowest part counts, whatever came first',
    from: 'active',
    long: true,
    async run(tester) {
      await tester.open();
      const whole = { level: 17, index: 0 };
      // Part 1: all slots 0..7, wrong for slot 3 only behind the right one.
      await tester.loadKey(partMessage(41, 1, 2, [whole, { level: 20, index: 3, key: WRONG }]));
      await tester.loadKey(sealUnderSlot(3, {}, FREE));
      await tester.decode(sealPart(1));
      // Part 0 counts before it: wrong for slot 3, in front of the right one; right for slot 4.
      const first = [{ level: 20, index: 3, key: WRONG }, { level: 20, index: 4 }, whole];
      await tester.loadKey(partMessage(40, 0, 2, first));
      await tester.loadKey(sealUnderSlot(3, {}, FREE), STATUS.CRYPTO);
      await tester.loadKey(sealUnderSlot(4, {}, FREE));
      await tester.loadKey(sealUnderSlot(5, {}, FREE));
      await tester.decode(sealPart(2));
    },
  },
  {
    name: 'numbers of parts are reckoned modulo 2^32: a number below the part number belongs to a purchase near its end',
    from: 'active',
    long: true,
    async run(tester) {
      const seed = (index: number): Seed[] => [{ level: 20, index }];
      // The purchase's number is FFFFFFFF in all of them.
      const parts = [0xffff_ffff, 0, 1, 2].map((number, part) => partMessage(number, part, 4, seed(part)));
      await tester.loadKey(parts[2]!);
      await tester.loadKey(parts[1]!);
      await tester.loadKey(parts[3]!);
      await tester.loadKey(parts[0]!);
      for (const part of parts) await tester.loadKey(part);
      for (const slot of [0, 1, 2, 3]) await tester.loadKey(sealUnderSlot(slot, {}, FREE));
      await tester.deleteKey(KIND.seeds, SERVICE, SEED_PURCHASE_ID);
      for (const part of parts) await tester.loadKey(part, STATUS.OLD_NUMBER);
    },
  },
  {
    name: 'a part that is not of the purchase is told after its number',
    from: 'active',
    long: true,
    async run(tester) {
      const seed = [{ level: 20, index: 0 }];
      await tester.loadKey(partMessage(40, 0, 2, seed));
      await tester.loadKey(partMessage(50, 0, 1, [{ level: 20, index: 1 }]), STATUS.BAD_FIELD);
      // Number 40 is taken, 7 is too old: neither is asked what it differs in.
      await tester.loadKey(partMessage(40, 0, 1, seed), STATUS.OLD_NUMBER);
      await tester.loadKey(partMessage(40, 1, 2, seed), STATUS.OLD_NUMBER);
      await tester.loadKey(partMessage(7, 0, 1, seed), STATUS.OLD_NUMBER);
      const later = sealAnew(partMessage(41, 1, 2, seed), CARD_KEYS.downlink, (octets) =>
        KEY.writeUint(octets, 'to', END + 1),
      );
      await tester.loadKey(later, STATUS.BAD_FIELD);
      await tester.loadKey(partMessage(41, 1, 2, seed));
    },
  },
  {
    name: 'older is the purchase whose number is lower, not the part: 940B before what it differs in',
    from: 'active',
    long: true,
    async run(tester) {
      const seed = [{ level: 20, index: 0 }];
      await tester.loadKey(partMessage(22, 0, 4, seed));
      // Of purchases 21, 20 and 19, with numbers above 22; and of 23.
      await tester.loadKey(partMessage(23, 2, 4, seed), STATUS.OLD_NUMBER);
      await tester.loadKey(partMessage(23, 3, 4, seed), STATUS.OLD_NUMBER);
      await tester.loadKey(partMessage(22, 3, 4, seed), STATUS.OLD_NUMBER);
      await tester.loadKey(partMessage(24, 1, 4, seed), STATUS.BAD_FIELD);
      // Of FFFFFFFF, which is above it.
      await tester.loadKey(partMessage(1, 2, 4, seed), STATUS.BAD_FIELD);
      await tester.loadKey(partMessage(23, 1, 4, seed));
    },
  },
];
