import { expect } from 'vitest';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { CARD_HEADER, CARD_TAG } from '../../../../apdu/layout/packets.ts';
import { concat } from '../../../../apdu/octets.ts';
import {
  sealPart,
  CEILINGS,
  CONTENT_KEY_ID,
  sealContent,
  END,
  type KeyOptions,
  sealPartAnew,
  SECOND_SSRC,
  sealSegment,
  SERVICE_KEY_ID,
  sealService,
  makeSpan,
  SSRC,
  START,
} from '../../messages/messages.ts';
import type { Case } from '../../tester.ts';

const OTHER_SERVICE = 8;
const OTHER: KeyOptions = {
  service: OTHER_SERVICE,
  parentKind: KIND.service,
  parentId: SERVICE_KEY_ID,
  keyId: 6000,
};

export const decodeCases: readonly Case[] = [
  {
    name: 'mode sealed: the whole span; mode open: all but its first block; every span of 1 to 13 blocks',
    from: 'playing',
    long: true,
    async run(tester) {
      let group = 0;
      for (let spanBlocks = 1; spanBlocks <= 13; spanBlocks++) {
        group++;
        expect(await tester.decode(sealPart(group, { spanBlocks }))).toEqual(makeSpan({ group, spanBlocks }));
        group++;
        const open = await tester.decode(sealPart(group, { spanBlocks, mode: 'open' }));
        expect(open).toEqual(makeSpan({ group, spanBlocks }).subarray(16));
      }
      expect((await tester.purse()).used).toBe(26n * 3290n);
    },
  },
  {
    name: 'first way: the key does not fit; nothing comes out, nothing is charged',
    from: 'playing',
    async run(tester) {
      await tester.refused(sealPart(1, { key: new Uint8Array(16) }), STATUS.CRYPTO);
      await tester.refused(sealPart(1, { contentKeyId: CONTENT_KEY_ID + 1 }), STATUS.UNKNOWN_KEY);
    },
  },
  {
    name: 'second way: free; plaintext, nothing is charged',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealContent({ kind: 'free' }));
      const before = await tester.purse();
      expect(await tester.decode(sealPart(1))).toEqual(makeSpan({ group: 1, spanBlocks: 4 }));
      expect(await tester.purse()).toEqual(before);
      expect(await tester.closeSession()).toBeUndefined();
    },
  },
  {
    name: 'third way: paid; the debit, then plaintext',
    from: 'playing',
    async run(tester) {
      expect(await tester.decode(sealPart(1))).toEqual(makeSpan({ group: 1, spanBlocks: 4 }));
      expect(await tester.purse()).toMatchObject({ taken: 250_000n, usedTicks: 13_160n * 250_000n * 18n });
    },
  },
  {
    name: 'fourth way: no credit; nothing comes out, nothing is charged',
    from: 'active',
    async run(tester) {
      await tester.loadKey(sealService(1));
      await tester.loadKey(sealSegment());
      await tester.loadKey(sealContent());
      await tester.open();
      await tester.refused(sealPart(1), STATUS.NO_CREDIT);
      await tester.decode(sealPart(1, { octets: 0 }));
    },
  },
  {
    name: 'every octet of a card part is under its tag',
    from: 'playing',
    async run(tester) {
      for (const mode of ['sealed', 'open'] as const) {
        const part = sealPart(1, { mode });
        for (let at = 0; at < part.length; at++) {
          for (const bit of [0x01, 0x80]) {
            const flipped = part.slice();
            flipped[at]! ^= bit;
            await tester.decode(flipped, at >= 14 && at < 18 ? STATUS.UNKNOWN_KEY : STATUS.CRYPTO);
          }
        }
      }
      expect((await tester.purse()).usedTicks).toBe(0n);
      await tester.decode(sealPart(1));
    },
  },
  {
    name: 'a part cut short or grown: 6988; under 56 octets even without its key',
    from: 'playing',
    long: true,
    async run(tester) {
      const part = sealPart(1, { spanBlocks: 13 });
      for (const length of [0, 1, 14, 18, 40, 55, 56, 100, 239, 240, 247]) {
        await tester.refused(part.subarray(0, length), STATUS.CRYPTO);
      }
      for (const more of [1, 7]) await tester.refused(concat(part, new Uint8Array(more)), STATUS.CRYPTO);
      const foreign = sealPart(1, { contentKeyId: 4711 });
      await tester.decode(foreign.subarray(0, 55), STATUS.CRYPTO);
      await tester.decode(foreign.subarray(0, 56), STATUS.UNKNOWN_KEY);
    },
  },
  {
    name: 'header, span, tag and stream of two groups do not mix',
    from: 'playing',
    async run(tester) {
      const big = sealPart(1, { octets: 1_000_000, packets: 700 });
      const small = sealPart(2, { octets: 1000, packets: 1 });
      const splice = (header: Uint8Array, span: Uint8Array, tag: Uint8Array): Uint8Array =>
        concat(
          header.subarray(0, CARD_HEADER.length),
          span.subarray(CARD_HEADER.length, span.length - CARD_TAG),
          tag.subarray(tag.length - CARD_TAG),
        );
      await tester.refused(splice(small, big, big), STATUS.CRYPTO);
      await tester.refused(splice(small, big, small), STATUS.CRYPTO);
      await tester.refused(splice(big, small, big), STATUS.CRYPTO);
      await tester.refused(splice(big, big, small), STATUS.CRYPTO);
      const fewer = big.slice();
      CARD_HEADER.writeUint(fewer, 'octets', 1000);
      await tester.refused(fewer, STATUS.CRYPTO);
      const other = big.slice();
      CARD_HEADER.writeUint(other, 'ssrc', SECOND_SSRC);
      await tester.refused(other, STATUS.CRYPTO);
      const later = big.slice();
      CARD_HEADER.writeUint(later, 'group', 2);
      await tester.refused(later, STATUS.CRYPTO);
    },
  },
  {
    name: 'another kind, version or span length under a right tag: 6988',
    from: 'playing',
    async run(tester) {
      const wrong: ReadonlyArray<(octets: Uint8Array) => void> = [
        (octets) => CARD_HEADER.writeUint(octets, 'kind', 0x22),
        (octets) => CARD_HEADER.writeUint(octets, 'kind', 0x1f),
        (octets) => CARD_HEADER.writeUint(octets, 'kind', 0x50),
        (octets) => CARD_HEADER.writeUint(octets, 'kind', 0x12),
        (octets) => CARD_HEADER.writeUint(octets, 'versionAndBlocks', 0x04),
        (octets) => CARD_HEADER.writeUint(octets, 'versionAndBlocks', 0x44),
        (octets) => CARD_HEADER.writeUint(octets, 'versionAndBlocks', 0xe4),
        (octets) => CARD_HEADER.writeUint(octets, 'versionAndBlocks', 0x20),
        (octets) => CARD_HEADER.writeUint(octets, 'versionAndBlocks', 0x23),
        (octets) => CARD_HEADER.writeUint(octets, 'versionAndBlocks', 0x25),
      ];
      for (const change of wrong) await tester.refused(sealPartAnew(sealPart(1), change), STATUS.CRYPTO);
      const odd = new Uint8Array(111);
      odd.set(sealPart(1));
      await tester.refused(
        sealPartAnew(odd.subarray(0, 104), (octets) => CARD_HEADER.writeUint(octets, 'versionAndBlocks', 0x3f)),
        STATUS.CRYPTO,
      );
    },
  },
  {
    name: 'flags, or packets other than 1 to 2,000: 6A80, before the session is asked for',
    from: 'playing',
    async run(tester) {
      const packets = (value: number): Uint8Array =>
        sealPartAnew(sealPart(1), (octets) => CARD_HEADER.writeUint(octets, 'flagsAndPackets', value));
      for (const value of [0, 2001, 0x07ff, 0x0801, 0x1001, 0x2001, 0x4001, 0x8000, 0x87d1, 0xc001, 0xffff]) {
        await tester.refused(packets(value), STATUS.BAD_FIELD);
      }
      await tester.decode(packets(2000));
      await tester.closeSession();
      await tester.decode(packets(0), STATUS.BAD_FIELD);
      await tester.decode(packets(1), STATUS.NOT_NOW);
    },
  },
  {
    name: 'no session, or one for another service: 6985, before the stream is looked at',
    from: 'playing',
    async run(tester) {
      await tester.open(OTHER_SERVICE);
      await tester.refused(sealPart(1), STATUS.NOT_NOW);
      await tester.refused(sealPart(1, { ssrc: 4 }), STATUS.NOT_NOW);
      await tester.closeSession();
      await tester.refused(sealPart(1), STATUS.NOT_NOW);
      await tester.open();
      await tester.decode(sealPart(1));
    },
  },
  {
    name: 'a stream that is not the key’s: 940C, before its time',
    from: 'playing',
    async run(tester) {
      await tester.refused(sealPart(1, { ssrc: SSRC + 2 + 4 }), STATUS.FOREIGN_STREAM);
      await tester.refused(sealPart(1, { ssrc: SSRC + 1 }), STATUS.FOREIGN_STREAM);
      await tester.refused(sealPart(1, { ssrc: 0, mediaTime: 0 }), STATUS.FOREIGN_STREAM);
      await tester.decode(sealPart(1, { ssrc: SECOND_SSRC }));
      await tester.decode(sealPart(1));
    },
  },
  {
    name: 'media time outside [from, to): 9405, before the group is looked at',
    from: 'playing',
    async run(tester) {
      await tester.refused(sealPart(1, { mediaTime: START - 1 }), STATUS.OUTSIDE_VALIDITY);
      await tester.refused(sealPart(1, { mediaTime: END }), STATUS.OUTSIDE_VALIDITY);
      await tester.refused(sealPart(1, { mediaTime: 0 }), STATUS.OUTSIDE_VALIDITY);
      await tester.refused(sealPart(0, { mediaTime: 0xffffffff }), STATUS.OUTSIDE_VALIDITY);
      await tester.decode(sealPart(1, { mediaTime: END - 1 }));
      await tester.decode(sealPart(2, { mediaTime: START }));
    },
  },
  {
    name: 'a subscription to T: at T no plaintext, after renewal again, and the host’s clock is not asked',
    from: 'active',
    async run(tester) {
      const key = { to: START + 100 };
      await tester.loadKey(sealService(1, {}, key));
      await tester.loadKey(sealSegment());
      await tester.loadKey(sealContent({ kind: 'free' }));
      await tester.open();
      await tester.decode(sealPart(1, { mediaTime: START + 99 }));
      await tester.decode(sealPart(2, { mediaTime: START + 100 }), STATUS.OUTSIDE_VALIDITY);
      await tester.loadKey(sealService(2, {}, { to: START + 200 }));
      await tester.decode(sealPart(2, { mediaTime: START + 100 }), STATUS.OUTSIDE_VALIDITY);
      await tester.loadKey(sealSegment());
      await tester.loadKey(sealContent({ kind: 'free' }));
      await tester.decode(sealPart(2, { mediaTime: START + 100 }));
      await tester.decode(sealPart(3, { mediaTime: START + 200 }), STATUS.OUTSIDE_VALIDITY);
    },
  },
  {
    name: 'octets or duration of a group above the purchase’s ceiling: 9402, after 9406',
    from: 'playing',
    async run(tester) {
      await tester.decode(sealPart(5));
      await tester.refused(sealPart(6, { octets: CEILINGS.groupOctets + 1 }), STATUS.ABOVE_CEILING);
      await tester.refused(sealPart(6, { duration: CEILINGS.groupDuration + 1 }), STATUS.ABOVE_CEILING);
      await tester.refused(sealPart(6, { octets: 0xffffff, duration: 0xffffff }), STATUS.ABOVE_CEILING);
      await tester.refused(sealPart(4, { octets: 0xffffff }), STATUS.OLD_GROUP);
      await tester.decode(sealPart(6, { octets: CEILINGS.groupOctets, duration: CEILINGS.groupDuration }));
    },
  },
  {
    name: 'two services with one content key id: the open session’s is meant, else the first',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealService(2, {}, { service: OTHER_SERVICE }));
      await tester.loadKey(sealContent({}, { ...OTHER, keyId: CONTENT_KEY_ID }));
      await tester.decode(sealPart(1));
      await tester.decode(sealPart(2, { service: OTHER_SERVICE }), STATUS.CRYPTO);
      await tester.open(OTHER_SERVICE);
      await tester.decode(sealPart(2), STATUS.CRYPTO);
      await tester.decode(sealPart(2, { service: OTHER_SERVICE }));
      await tester.closeSession();
      await tester.decode(sealPart(3), STATUS.NOT_NOW);
      await tester.decode(sealPart(3, { service: OTHER_SERVICE }), STATUS.CRYPTO);
    },
  },
  {
    name: 'two content keys live at once, each with its own terms',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealContent({ price: 1_000_000n }, { keyId: 5001 }));
      await tester.decode(sealPart(1, { octets: 1000 }));
      await tester.decode(sealPart(2, { octets: 1000, contentKeyId: 5001 }));
      await tester.decode(sealPart(3, { octets: 1000 }));
      expect((await tester.purse()).used).toBe(250n + 1000n + 250n);
    },
  },
];
