import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { encodeBlind, openBlind, sealBlind } from '../../../../apdu/decode-module/packets/blind-blocks.ts';
import {
  sealPart,
  CONTENT_KEY_ID,
  sealContent,
  signOrder,
  sealPartAnew,
  SECOND_SSRC,
  sealSegment,
  SERVICE,
  sealService,
  makeSpan,
  SSRC,
} from '../../messages/messages.ts';
import {
  BLIND_KEY_ID,
  makeBlindCipher,
  sealBlindContent,
  sealSeedParts,
  sealUnderSlot,
} from '../../messages/purchase-messages.ts';
import type { Case, Tester } from '../../tester.ts';

function plain(blocks: number): Uint8Array {
  return new Uint8Array(16 * blocks).map((_, i) => i * 7);
}

function packet(number: number, { keyId = BLIND_KEY_ID, ssrc = SSRC } = {}) {
  return { keyId, ssrc, number };
}

async function decodeBlind(tester: Tester, data: Uint8Array, status: number = STATUS.DONE): Promise<Uint8Array> {
  return tester.command({ cla: 0x80, ins: INS.DECODE, p1: 1, p2: 0, data, le: 256 }, status);
}

function sealed(number: number, blocks: number, options = {}): Uint8Array {
  return encodeBlind(packet(number, options), sealBlind(makeBlindCipher(), packet(number, options), plain(blocks)));
}

export const blindCases: readonly Case[] = [
  {
    name: 'blocks that stand alone come back plain, whatever their order, as often as asked',
    from: 'playing',
    long: true,
    async run(tester) {
      await tester.loadKey(sealBlindContent());
      for (const [number, blocks] of [
        [9, 1],
        [3, 2],
        [0, 15],
        [2 ** 32 - 1, 12],
        [9, 1],
      ] as const) {
        expect(await decodeBlind(tester, sealed(number, blocks))).toEqual(plain(blocks));
      }
      const other = packet(1, { ssrc: SECOND_SSRC });
      const octets = sealBlind(makeBlindCipher(), other, plain(2));
      expect(openBlind(makeBlindCipher(), other, octets)).toEqual(plain(2));
      expect(await decodeBlind(tester, encodeBlind(other, octets))).toEqual(plain(2));
      const { taken } = await tester.purse();
      expect(taken).toBe(0n);
    },
  },
  {
    name: 'a wrong length: 6700; no such key: 6A88; another stream: 940C; no session: 6985',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealBlindContent());
      for (const length of [0, 12, 16, 27, 29, 253, 255])
        await decodeBlind(tester, new Uint8Array(length), STATUS.WRONG_LENGTH);
      await decodeBlind(tester, sealed(1, 1, { keyId: 1 }), STATUS.UNKNOWN_KEY);
      await decodeBlind(tester, sealed(1, 1, { ssrc: SSRC + 100 }), STATUS.FOREIGN_STREAM);
      await tester.send(INS.CLOSE_SESSION);
      await decodeBlind(tester, sealed(1, 1), STATUS.NOT_NOW);
      await tester.open(SERVICE + 1);
      await decodeBlind(tester, sealed(1, 1), STATUS.NOT_NOW);
      await tester.command(
        { cla: 0x80, ins: INS.DECODE, p1: 2, p2: 0, data: sealed(1, 1), le: 256 },
        STATUS.WRONG_PARAMETERS,
      );
      await tester.command(
        { cla: 0x80, ins: INS.DECODE, p1: 1, p2: 1, data: sealed(1, 1), le: 256 },
        STATUS.WRONG_PARAMETERS,
      );
    },
  },
  {
    name: 'a blind key never opens a card part, nor a metered key blind blocks: 9408',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealBlindContent());
      await tester.decode(sealPart(1, { contentKeyId: BLIND_KEY_ID }), STATUS.BLIND_MISMATCH);
      await decodeBlind(tester, sealed(1, 1, { keyId: CONTENT_KEY_ID }), STATUS.BLIND_MISMATCH);
      await tester.decode(sealPart(1));
    },
  },
  {
    name: 'only free and flat: a blind key by octets or duration is 9408',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealBlindContent({ kind: 'octets', price: 1n }), STATUS.BLIND_MISMATCH);
      await tester.loadKey(sealBlindContent({ kind: 'duration', price: 0n }), STATUS.BLIND_MISMATCH);
      await tester.loadKey(sealBlindContent({ kind: 'octets', price: 1n, card: false }), STATUS.BLIND_MISMATCH);
      await tester.loadKey(sealBlindContent({ kind: 'flat', price: 60_000_000n }), STATUS.ABOVE_CEILING);
      await tester.loadKey(sealBlindContent({ card: false }), STATUS.CLASS_REFUSED);
      await tester.loadKey(sealBlindContent({ kind: 'flat', price: 50_000_000n }));
    },
  },
  {
    name: 'a flat price is charged once for a segment, and stands on the receipt',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealBlindContent({ kind: 'flat', price: 400_000n, segmentId: 77 }));
      await decodeBlind(tester, sealed(1, 4));
      await decodeBlind(tester, sealed(2, 4));
      expect(await tester.purse()).toMatchObject({ taken: 500_000n });
      expect(await tester.closeSession()).toMatchObject({
        amount: 400_000n,
        groups: 2,
        octets: 128,
        duration: 0,
        firstSegment: 77,
        lastSegment: 77,
        from: 0,
        to: 0,
      });
      await tester.open();
      await decodeBlind(tester, sealed(3, 1));
      expect(await tester.purse()).toMatchObject({ taken: 0n });
    },
  },
  {
    name: 'a flat price that nobody can pay opens nothing',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealBlindContent({ kind: 'flat', price: 40_000_000n, segmentId: 77 }));
      await decodeBlind(tester, sealed(1, 4), STATUS.NO_CREDIT);
      expect(await tester.purse()).toMatchObject({ taken: 0n });
    },
  },
  {
    name: 'blind and metered in one session: the times are those of the metered groups',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealBlindContent({ kind: 'free', segmentId: 5 }));
      await decodeBlind(tester, sealed(1, 1));
      await tester.decode(sealPart(1, { octets: 1000, duration: 40 }));
      await decodeBlind(tester, sealed(2, 1));
      const receipt = await tester.closeSession();
      expect(receipt).toMatchObject({ groups: 3, octets: 1032, duration: 40, firstSegment: 5, lastSegment: 5 });
      expect(receipt?.from).toBe(receipt?.to);
      expect(receipt?.from).not.toBe(0);
    },
  },
  {
    name: 'from is that of the first group that has a media time above 0',
    from: 'active',
    async run(tester) {
      await tester.loadKey(sealService(1, {}, { from: 0 }));
      await tester.loadKey(sealSegment({ from: 0 }));
      await tester.loadKey(sealContent({}, { from: 0 }));
      await tester.loadCredit(signOrder(1, 1_000_000n));
      await tester.open();
      await tester.decode(sealPart(1, { mediaTime: 0 }));
      await tester.decode(sealPart(2, { mediaTime: 9 }));
      await tester.decode(sealPart(3, { mediaTime: 5 }));
      expect(await tester.closeSession()).toMatchObject({ groups: 3, from: 9, to: 5 });
    },
  },
  {
    name: 'a blind key under a slot, and one beside a metered key with its own life',
    from: 'playing',
    long: true,
    async run(tester) {
      await tester.loadKey(sealSeedParts(2, 0, 8)[0]!);
      await tester.loadKey(sealUnderSlot(4, { kind: KIND.blind, keyId: BLIND_KEY_ID }, { kind: 'free' }));
      expect(await decodeBlind(tester, sealed(1, 3))).toEqual(plain(3));
      await tester.deleteKey(KIND.content, SERVICE, BLIND_KEY_ID, STATUS.UNKNOWN_KEY);
      await tester.deleteKey(KIND.blind, SERVICE, BLIND_KEY_ID);
      await decodeBlind(tester, sealed(1, 3), STATUS.UNKNOWN_KEY);
      await tester.loadKey(sealContent());
      await tester.decode(sealPart(1));
    },
  },
  {
    name: 'of a metered and a blind key with one id the first by slot is meant',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealBlindContent({}, CONTENT_KEY_ID));
      await tester.decode(sealPart(1));
      await decodeBlind(tester, sealed(1, 1, { keyId: CONTENT_KEY_ID }), STATUS.BLIND_MISMATCH);
      await tester.deleteKey(KIND.content, SERVICE, CONTENT_KEY_ID);
      await tester.decode(sealPart(2), STATUS.BLIND_MISMATCH);
      await decodeBlind(tester, sealed(1, 1, { keyId: CONTENT_KEY_ID }));
      // Now the blind one stands second, then first.
      await tester.loadKey(sealContent());
      await tester.decode(sealPart(2));
      await tester.deleteKey(KIND.content, SERVICE, CONTENT_KEY_ID);
      await tester.deleteKey(KIND.blind, SERVICE, CONTENT_KEY_ID);
      await tester.loadKey(sealBlindContent({}, CONTENT_KEY_ID));
      await tester.loadKey(sealContent());
      await tester.decode(sealPart(3), STATUS.BLIND_MISMATCH);
      await decodeBlind(tester, sealed(2, 1, { keyId: CONTENT_KEY_ID }));
    },
  },
  {
    name: 'a card part marked as detached is as good as one in its packet; other flags are not',
    from: 'playing',
    async run(tester) {
      expect(await tester.decode(sealPart(1, { detached: true }))).toEqual(makeSpan({ group: 1, spanBlocks: 4 }));
      for (const bit of [0x40, 0x20, 0x10, 0x08]) {
        await tester.decode(
          sealPartAnew(sealPart(2), (octets) => void (octets[2]! |= bit)),
          STATUS.BAD_FIELD,
        );
      }
      await tester.decode(sealPart(2));
    },
  },
];
