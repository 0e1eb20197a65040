import { expect } from 'vitest';
import { encodeCardLimits, NO_LIMITS } from '../../../../apdu/decode-module/card-limits.ts';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { encodeCeilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import { parseKeyList } from '../../../../apdu/decode-module/keys/key-list.ts';
import { keyBodyLength, parseKeyMessage, sealKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { SLOT_DEPTH, deriveSeedKey, deriveSlotKeys } from '../../../../apdu/decode-module/keys/marks.ts';
import { type KeyKind, KIND, type ParentKind } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { DGI } from '../../../../apdu/decode-module/personalisation.ts';
import { encodePin } from '../../../../apdu/decode-module/pin.ts';
import { openConfirm } from '../../../../apdu/decode-module/requests/confirm.ts';
import { encodeRequest, openRequest } from '../../../../apdu/decode-module/requests/signed-request.ts';
import { deriveWorkingKeys } from '../../../../apdu/decode-module/working-keys.ts';
import { KEY_MESSAGE_HEADER as KEY } from '../../../../apdu/layout/keys.ts';
import { concat } from '../../../../apdu/octets.ts';
import {
  CARD_ID,
  CARD_KEYS,
  sealPart,
  CEILINGS,
  encodeContent,
  sealContent,
  END,
  makeFixedKey,
  findKey,
  KEYS,
  PROFILE,
  sealAnew,
  SEGMENT_KEY_ID,
  sealSegment,
  SERIAL,
  SERVICE,
  SERVICE_KEY_ID,
  sealService,
  START,
} from '../../messages/messages.ts';
import {
  BLIND_KEY_ID,
  sealBlindContent,
  sealTreeLeaf,
  SEED_PURCHASE_ID,
  SEED_ROOT,
  sealSeedParts,
  SEGMENT_PURCHASE_ID,
  sealSegmentPurchase,
} from '../../messages/purchase-messages.ts';
import { type Case, encodeU32 } from '../../tester.ts';

const UPLINK = CARD_KEYS.uplink;
const MIDDLE = START + 1000;

/** Parents on the card, and what they may carry. */
const PARENTS: ReadonlyArray<readonly [kind: number, id: number, carries: readonly KeyKind[]]> = [
  [KIND.unique, SERIAL, [KIND.service, KIND.segment, KIND.seeds, KIND.node, KIND.servicePair]],
  [KIND.service, SERVICE_KEY_ID, [KIND.segment, KIND.content, KIND.blind]],
  [KIND.segment, SEGMENT_KEY_ID, [KIND.content, KIND.blind]],
  [KIND.segment, SEGMENT_PURCHASE_ID, [KIND.content, KIND.blind]],
  [KIND.content, 5000, []],
  [KIND.blind, BLIND_KEY_ID, []],
  [KIND.node, 2, [KIND.node]],
  [KIND.slot, 7, [KIND.content, KIND.blind]],
];
const KINDS = [KIND.service, KIND.segment, KIND.content, KIND.blind, KIND.seeds, KIND.node, KIND.servicePair] as const;

function bodyOf(kind: KeyKind, parentKind: number): Uint8Array {
  const ceilings = encodeCeilings(CEILINGS);
  if (kind === KIND.content || kind === KIND.blind) return encodeContent({ kind: 'free' });
  if (kind === KIND.seeds)
    return concat(
      new Uint8Array(32).map((_, i) => (i % 4 === 0 ? 0xff : 0)),
      ceilings,
    );
  return ceilings.subarray(0, keyBodyLength(kind, parentKind));
}

function keyInside(kind: KeyKind, keyId: number): Uint8Array {
  if (kind === KIND.seeds) return new Uint8Array(128);
  return kind === KIND.servicePair ? new Uint8Array(32).fill(1) : findKey(kind, SERVICE, keyId);
}

function parentKeyOf(kind: number, id: number) {
  if (kind === KIND.unique) return CARD_KEYS.downlink;
  if (kind !== KIND.slot)
    return deriveWorkingKeys(
      kind,
      SERVICE,
      id,
      kind === KIND.node ? makeFixedKey('a leaf') : findKey(kind, SERVICE, id),
    );
  const leaf = deriveSeedKey(SEED_ROOT, { level: SLOT_DEPTH, index: id });
  return deriveSlotKeys(SERVICE, id, 0, leaf, leaf);
}

export const purchaseCases: readonly Case[] = [
  {
    name: 'each pair of parent and child of every kind: right ones load, wrong ones 940D, forged ones 6988',
    from: 'playing',
    long: true,
    async run(tester) {
      let number = 900;
      await tester.loadKey(sealSegmentPurchase(number++));
      await tester.loadKey(sealTreeLeaf(number++, { leaf: 2, key: makeFixedKey('a leaf') }));
      for (const message of sealSeedParts(number++, 0, 8)) await tester.loadKey(message);
      await tester.send(INS.DELETE_KEY, concat(Uint8Array.of(KIND.content), encodeU32(SERVICE), encodeU32(5000)));
      for (const [parentKind, parentId, carries] of PARENTS) {
        // Both places for content are wanted: what does not carry them must not be pushed out by them.
        await tester.loadKey(sealContent({ kind: 'free' }));
        await tester.loadKey(sealBlindContent());
        for (const kind of KINDS) {
          number++;
          const header = {
            kind,
            service: SERVICE,
            keyId: kind === KIND.content ? 5000 : kind === KIND.blind ? BLIND_KEY_ID : kind === KIND.node ? 1 : number,
            from: START,
            to: END,
            number: parentKind === KIND.unique || kind === KIND.node ? number : 0,
            parentKind: parentKind as ParentKind,
            parentId,
          };
          const key = keyInside(kind, header.keyId);
          const message = sealKeyMessage(
            header,
            key,
            bodyOf(kind, parentKind),
            parentKeyOf(parentKind, parentId),
          ).octets;
          const forged = message.slice();
          forged[forged.length - 1]! ^= 1;
          await tester.loadKey(forged, STATUS.CRYPTO);
          await tester.loadKey(message, carries.includes(kind) ? STATUS.DONE : STATUS.WRONG_PARENT);
        }
      }
    },
  },
  {
    name: 'a parent that no message can have: 6A88',
    from: 'playing',
    long: true,
    async run(tester) {
      await tester.loadKey(sealSeedParts(900, 0, 8)[0]!);
      for (const parentKind of [0x00, 0x14, 0x16, 0x18, 0x20, 0xff]) {
        const message = sealContent({}, { parentId: SEED_PURCHASE_ID });
        KEY.writeUint(message, 'parentKind', parentKind);
        await tester.loadKey(message, STATUS.UNKNOWN_KEY);
      }
    },
  },
  {
    name: 'a message under the unique key is confirmed, and the same one again with the same confirm',
    from: 'active',
    long: true,
    async run(tester) {
      const place = { leaf: 9, key: makeFixedKey('leaf 9') };
      const messages = [sealService(5), sealSegmentPurchase(6), ...sealSeedParts(7, 1, 200), sealTreeLeaf(20, place)];
      expect(messages).toHaveLength(5);
      const confirms: Uint8Array[] = [];
      for (const message of messages) {
        const { service, keyId, number, from, to } = parseKeyMessage(message);
        const octets = await tester.loadKey(message);
        expect(openConfirm(octets, UPLINK)).toEqual({ cardId: CARD_ID, service, keyId, number, from, to });
        confirms.push(octets);
      }
      await tester.reset();
      await tester.select();
      for (const [i, message] of messages.entries()) expect(await tester.loadKey(message)).toEqual(confirms[i]);
    },
  },
  {
    name: 'a segment bought by itself carries content at its own ceilings, and lasts',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealSegmentPurchase(2, { perMegabyte: 300_000n }));
      const under = { parentId: SEGMENT_PURCHASE_ID };
      await tester.loadKey(sealContent({ price: 300_001n }, under), STATUS.ABOVE_CEILING);
      await tester.loadKey(sealContent({ price: 300_000n }, under));
      await tester.decode(sealPart(1));
      await tester.reset();
      await tester.select();
      await tester.loadKey(sealContent({}, under));
      await tester.open();
      await tester.decode(sealPart(2));
      expect(parseKeyList(await tester.send(INS.LIST_KEYS))).toMatchObject([
        { kind: KIND.service, parentKind: KIND.unique },
        { kind: KIND.segment, parentKind: KIND.unique, keyId: SEGMENT_PURCHASE_ID },
        { kind: KIND.content, parentKind: KIND.segment },
      ]);
    },
  },
  {
    name: 'of a segment that is bought and in RAM, the one in RAM is meant',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealSegmentPurchase(2, { keyId: SEGMENT_KEY_ID, perMegabyte: 100n }));
      await tester.loadKey(sealContent());
      await tester.deleteKey(KIND.segment, SERVICE, SEGMENT_KEY_ID);
      await tester.decode(sealPart(1), STATUS.UNKNOWN_KEY);
      await tester.loadKey(sealContent(), STATUS.ABOVE_CEILING);
      await tester.loadKey(sealContent({ price: 100n }));
      await tester.loadKey(sealSegment());
      await tester.deleteKey(KIND.segment, SERVICE, SEGMENT_KEY_ID);
      await tester.decode(sealPart(1));
      await tester.deleteKey(KIND.segment, SERVICE, SEGMENT_KEY_ID);
      await tester.decode(sealPart(2), STATUS.UNKNOWN_KEY);
      await tester.deleteKey(KIND.segment, SERVICE, SEGMENT_KEY_ID, STATUS.UNKNOWN_KEY);
    },
  },
  {
    name: 'a subscription to T: nothing at T, plaintext again after the renewal',
    from: 'playing',
    async run(tester) {
      await tester.loadKey(sealService(2, {}, { to: MIDDLE }));
      await tester.loadKey(sealSegment());
      await tester.loadKey(sealContent({ kind: 'free' }));
      await tester.decode(sealPart(1, { mediaTime: MIDDLE - 1 }));
      await tester.decode(sealPart(2, { mediaTime: MIDDLE }), STATUS.OUTSIDE_VALIDITY);
      await tester.loadKey(sealContent({ kind: 'free' }, { from: MIDDLE }), STATUS.OUTSIDE_VALIDITY);
      await tester.loadKey(sealService(3));
      await tester.decode(sealPart(2, { mediaTime: MIDDLE }), STATUS.OUTSIDE_VALIDITY);
      await tester.loadKey(sealSegment());
      await tester.loadKey(sealContent({ kind: 'free' }));
      await tester.decode(sealPart(2, { mediaTime: MIDDLE }));
    },
  },
  {
    name: 'requests are signed with the uplink key',
    from: 'active',
    async run(tester) {
      const request = {
        service: SERVICE,
        from: START,
        to: END,
        requestId: makeFixedKey('request').subarray(0, 8),
        sessionHash: new Uint8Array(20).fill(0x5a),
      };
      const data = encodeRequest(request);
      for (const [kind, p2] of [
        ['join', 0x43],
        ['extend', 0x44],
        ['leave', 0x45],
        ['keyRequest', 0x47],
        ['stay', 0x48],
      ] as const) {
        const octets = await tester.command({ cla: 0x80, ins: INS.SIGN_REQUEST, p1: 0, p2, data, le: 256 });
        expect(openRequest(octets, UPLINK)).toEqual({ ...request, kind, cardId: CARD_ID });
      }
      for (const [p1, p2] of [
        [0, 0],
        [0, 0x42],
        [0, 0x46],
        [0, 0x49],
        [1, 0x43],
      ] as const) {
        await tester.command({ cla: 0x80, ins: INS.SIGN_REQUEST, p1, p2, data, le: 256 }, STATUS.WRONG_PARAMETERS);
      }
      for (const wrong of [data.subarray(1), concat(data, data.subarray(0, 1))]) {
        await tester.command(
          { cla: 0x80, ins: INS.SIGN_REQUEST, p1: 0, p2: 0x43, data: wrong, le: 256 },
          STATUS.WRONG_LENGTH,
        );
      }
    },
  },
  {
    name: 'a request needs the PIN where the policy says so',
    from: 'blank',
    async run(tester) {
      const pin = encodePin('2580');
      await tester.storeData(DGI.pin, pin, false);
      await tester.storeData(DGI.limits, encodeCardLimits({ ...NO_LIMITS, pinForSessions: true }), false);
      await tester.storeData(DGI.profile, PROFILE, false);
      await tester.activate(DGI.keys, KEYS);
      const command = { cla: 0x80, ins: INS.SIGN_REQUEST, p1: 0, p2: 0x43, data: new Uint8Array(40), le: 256 };
      await tester.command(command, STATUS.SECURITY);
      await tester.send(INS.VERIFY, pin);
      await tester.command(command);
    },
  },
  {
    name: 'fields of a message under the unique key outside the page: 6A80',
    from: 'active',
    long: true,
    async run(tester) {
      const segment = sealSegmentPurchase(10);
      const seeds = sealSeedParts(11, 0, 3)[0]!;
      const leaf = sealTreeLeaf(12, { leaf: 9, key: makeFixedKey('leaf 9') });
      const changes: ReadonlyArray<readonly [Uint8Array, at: number, value: number]> = [
        [segment, 25, 1],
        [segment, 66, 1],
        [segment, 67, 0x80],
        [segment, 72, 1],
        [seeds, 25, 0x10],
        [seeds, 25, 0x01],
        [seeds, 25, 0x0b - 4],
        [seeds, 160, 21],
        [seeds, 160, 0x80],
        [seeds, 161, 0x10],
        [seeds, 191, 1],
        [seeds, 210, 1],
        [seeds, 216, 1],
        [leaf, 25, 4],
        [leaf, 11, 0],
      ];
      for (const [message, at, value] of changes) {
        await tester.loadKey(
          sealAnew(message, CARD_KEYS.downlink, (octets) => void (octets[at] = value)),
          STATUS.BAD_FIELD,
        );
      }
      for (const message of [segment, seeds, leaf]) await tester.loadKey(message);
    },
  },
];
