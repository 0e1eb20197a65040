import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { parseKeyList } from '../../../../apdu/decode-module/keys/key-list.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { concat } from '../../../../apdu/octets.ts';
import {
  CEILINGS,
  CONTENT_KEY_ID,
  END,
  type KeyOptions,
  makeFixedKey,
  sealContent,
  sealPart,
  sealSegment,
  sealService,
  SEGMENT_KEY_ID,
  SERVICE,
  SERVICE_KEY_ID,
  START,
} from '../../messages/messages.ts';
import { makeFixedPair, sealContentUnderPair, sealPairPurchase } from '../../messages/pair-messages.ts';
import { sealSegmentPurchase, SEGMENT_PURCHASE_ID } from '../../messages/purchase-messages.ts';
import { type Case, encodeU32, type Tester } from '../../tester.ts';
import { headEnd } from './key-pairs.ts';

const FREE = { kind: 'free' } as const;
/** Where one segment ends and the next begins, and how long the old one is valid after that. */
const CHANGE = START + 3600;
const GRACE = 5;
const NEXT_SEGMENT = SEGMENT_KEY_ID + 1;
const MIDDLE = START + 1000;

/** Kind, id and end of every key on the card. */
async function listEnds(tester: Tester): Promise<readonly string[]> {
  const list = parseKeyList(await tester.send(INS.LIST_KEYS));
  return list.map(({ kind, keyId, to }) => `${kind.toString(16)} ${keyId} ${to - START}`);
}

/** Two segments of a service, and the content of the second one under each of them. */
async function loadSegments(tester: Tester): Promise<Record<'ahead' | 'under next', Uint8Array>> {
  await tester.loadKey(sealService(1));
  await tester.loadKey(sealSegment({ to: CHANGE + GRACE }));
  await tester.loadKey(sealSegment({ keyId: NEXT_SEGMENT, from: CHANGE, to: CHANGE + 3600 }));
  await tester.open();
  const content = (parentId: number) =>
    sealContent({ ...FREE, segmentId: NEXT_SEGMENT }, { from: CHANGE, to: CHANGE + 300, parentId });
  return { ahead: content(SEGMENT_KEY_ID), 'under next': content(NEXT_SEGMENT) };
}

export const sameKeyCases: readonly Case[] = [
  ...(['ahead', 'under next'] as const).map((last): Case => ({
    name: `the next content key plays on to its end when the copy that comes last is ${last === 'ahead' ? 'under the old segment' : 'under the next one'}`,
    from: 'active',
    async run(tester) {
      const copies = await loadSegments(tester);
      await tester.loadKey(last === 'ahead' ? copies['under next'] : copies.ahead);
      await tester.decode(sealPart(1, { mediaTime: CHANGE }));
      await tester.loadKey(copies[last]);
      expect((await listEnds(tester)).at(-1)).toBe(`12 ${CONTENT_KEY_ID} 3900`);
      await tester.decode(sealPart(2, { mediaTime: CHANGE + GRACE }));
      await tester.decode(sealPart(3, { mediaTime: CHANGE + 299 }));
      await tester.decode(sealPart(4, { mediaTime: CHANGE + 300 }), STATUS.OUTSIDE_VALIDITY);
    },
  })),
  {
    name: 'with one copy alone: under the old segment it ends with the grace',
    from: 'active',
    async run(tester) {
      const { ahead } = await loadSegments(tester);
      await tester.loadKey(ahead);
      await tester.decode(sealPart(1, { mediaTime: CHANGE + GRACE - 1 }));
      await tester.decode(sealPart(2, { mediaTime: CHANGE + GRACE }), STATUS.OUTSIDE_VALIDITY);
    },
  },
  {
    name: 'a copy that ends earlier changes no terms; one of the same end, and another key, do',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealContent({ price: 0n, ssrcs: [0x20000002] }, { to: END - 1 }));
      await tester.decode(sealPart(1));
      expect((await tester.purse()).taken).toBe(250_000n);
      await tester.loadKey(sealContent(FREE, { to: START + 10, key: makeFixedKey('another') }));
      expect((await listEnds(tester)).at(-1)).toBe(`12 ${CONTENT_KEY_ID} 10`);
      await tester.loadKey(sealContent(FREE));
      await tester.decode(sealPart(2));
    },
  },
  {
    name: 'what is wrong with a copy that ends earlier is told all the same',
    from: 'playing',
    async run(tester) {
      const earlier: KeyOptions = { to: END - 1 };
      await tester.loadKey(sealContent({ card: false, soft: false }, earlier), STATUS.CLASS_REFUSED);
      await tester.loadKey(sealContent({ price: CEILINGS.perMegabyte + 1n }, earlier), STATUS.ABOVE_CEILING);
      await tester.loadKey(sealContent({}, { from: END, to: END + 1 }), STATUS.OUTSIDE_VALIDITY);
      expect((await listEnds(tester)).at(-1)).toBe(`12 ${CONTENT_KEY_ID} 86400`);
    },
  },
  {
    name: 'a leave shortens a key, and a copy under what is left of another purchase brings a later end',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealSegmentPurchase(2));
      await tester.loadKey(sealContent(FREE, { parentId: SEGMENT_PURCHASE_ID, to: END - 1 }));
      const data = concat(encodeU32(SERVICE), encodeU32(SERVICE_KEY_ID), encodeU32(MIDDLE));
      await tester.send(INS.LEAVE, data);
      expect((await listEnds(tester)).at(-1)).toBe(`12 ${CONTENT_KEY_ID} 1000`);
      await tester.loadKey(sealContent(FREE, { parentId: SEGMENT_PURCHASE_ID, to: END - 1 }));
      expect((await listEnds(tester)).at(-1)).toBe(`12 ${CONTENT_KEY_ID} 86399`);
    },
  },
  {
    name: 'a segment key that ends earlier changes nothing; with no earlier end it keeps its contents',
    from: 'playing',
    async run(tester) {
      const before = await listEnds(tester);
      await tester.loadKey(sealSegment({ to: MIDDLE }));
      await tester.loadKey(sealSegment());
      expect(await listEnds(tester)).toEqual(before);
      await tester.decode(sealPart(1));
      await tester.loadKey(sealSegment({ key: makeFixedKey('another') }));
      expect(await listEnds(tester)).toEqual(before.slice(0, 2));
    },
  },
  {
    name: 'a segment key that comes through another purchase takes its contents along',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealService(2, {}, { keyId: 2, to: END + 1 }));
      await tester.loadKey(sealSegment({ parentId: 2, to: MIDDLE }));
      await tester.decode(sealPart(1));
      await tester.loadKey(sealSegment({ parentId: 2 }));
      expect(await tester.keys()).toEqual(['10 7/1', '10 7/2', '11 7/100']);
      await tester.deleteKey(KIND.service, SERVICE, SERVICE_KEY_ID);
      await tester.loadKey(sealContent(FREE));
      await tester.decode(sealPart(2));
    },
  },
  {
    name: 'a service key that is extended goes on playing, and what is loaded again ends later',
    from: 'active',
    async run(tester) {
      await tester.loadKey(sealService(1, {}, { to: MIDDLE }));
      await tester.loadKey(sealSegment());
      await tester.loadKey(sealContent(FREE));
      await tester.open();
      await tester.decode(sealPart(1, { mediaTime: START }));
      await tester.loadKey(
        sealService(2, { perMegabyte: CEILINGS.perMegabyte + 1n, quantum: 1n }, { to: MIDDLE + 100 }),
      );
      expect(await listEnds(tester)).toEqual(['10 1 1100', '11 100 1000', `12 ${CONTENT_KEY_ID} 1000`]);
      await tester.decode(sealPart(2, { mediaTime: MIDDLE - 1 }));
      await tester.decode(sealPart(3, { mediaTime: MIDDLE }), STATUS.OUTSIDE_VALIDITY);
      await tester.loadKey(sealSegment());
      await tester.decode(sealPart(3, { mediaTime: MIDDLE - 1 }));
      await tester.loadKey(sealContent(FREE));
      await tester.decode(sealPart(4, { mediaTime: MIDDLE + 99 }));
      await tester.decode(sealPart(5, { mediaTime: MIDDLE + 100 }), STATUS.OUTSIDE_VALIDITY);
      await tester.reset();
      await tester.select();
      expect(await listEnds(tester)).toEqual(['10 1 1100']);
      await tester.loadKey(
        sealService(2, { perMegabyte: CEILINGS.perMegabyte + 1n, quantum: 1n }, { to: MIDDLE + 100 }),
      );
      await tester.loadKey(sealService(1, {}, { to: MIDDLE }), STATUS.OLD_NUMBER);
    },
  },
  {
    name: 'ceilings and quantum are those of the extension at once',
    from: 'playing',
    async run(tester) {
      await tester.decode(sealPart(1));
      expect((await tester.purse()).taken).toBe(250_000n);
      await tester.closeSession();
      await tester.open();
      await tester.loadKey(sealService(2, { quantum: 100_000n, groupOctets: 13_160 }));
      await tester.decode(sealPart(2, { octets: 13_161 }), STATUS.ABOVE_CEILING);
      await tester.decode(sealPart(2, { octets: 13_160 }));
      expect((await tester.purse()).taken).toBe(100_000n);
    },
  },
  ...(
    [
      ['an earlier end', {}, { to: END - 1 }],
      ['a later start', {}, { from: START + 1 }],
      ['a lower price by volume', { perMegabyte: CEILINGS.perMegabyte - 1n }, {}],
      ['a lower price by time', { perHour: CEILINGS.perHour - 1n }, {}],
      ['a lower flat price', { flat: CEILINGS.flat - 1n }, {}],
      ['another key', {}, { key: makeFixedKey('another') }],
    ] as const
  ).map(([what, ceilings, options]): Case => ({
    name: `a service key with ${what} is no extension: the keys below go`,
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealService(2, ceilings, options));
      expect(await tester.keys()).toEqual(['10 7/1']);
      await tester.decode(sealPart(1), STATUS.UNKNOWN_KEY);
    },
  })),
  {
    name: 'a segment bought by itself and a private half are extended likewise',
    from: 'active',
    long: true,
    async run(tester) {
      await headEnd(tester);
      await tester.loadKey(sealSegmentPurchase(1, { to: MIDDLE }));
      await tester.loadKey(sealContent(FREE, { keyId: 5001, parentId: SEGMENT_PURCHASE_ID }));
      await tester.loadKey(sealPairPurchase(50, { to: MIDDLE }));
      await tester.loadKey(sealContentUnderPair(FREE));
      const below = (await tester.keys()).slice(2);
      await tester.loadKey(sealSegmentPurchase(51));
      await tester.loadKey(sealPairPurchase(52));
      expect((await tester.keys()).slice(2)).toEqual(below);
      await tester.open();
      await tester.decode(sealPart(1, { contentKeyId: 5001 }));
      await tester.decode(sealPart(2));
      await tester.loadKey(sealPairPurchase(53, { privateKey: makeFixedPair('another').privateKey }));
      await tester.loadKey(sealSegmentPurchase(54, { perMegabyte: 0n }));
      expect(await tester.keys()).toHaveLength(2);
    },
  },
];
