import fc from 'fast-check';
import { CLA_MODULE, INS } from '../../../apdu/decode-module/instruction.ts';
import { sealKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { parentNode } from '../../../apdu/decode-module/keys/key-tree.ts';
import { type KeyKind, KIND, type ParentKind } from '../../../apdu/decode-module/kinds.ts';
import { signCreditLimit } from '../../../apdu/decode-module/money/credit-load.ts';
import { encodeBlind, sealBlind } from '../../../apdu/decode-module/packets/blind-blocks.ts';
import type { CommandApdu } from '../../../apdu/iso7816/command-apdu.ts';
import { SPEND_LIMIT_DATA } from '../../../apdu/layout/card.ts';
import { concat } from '../../../apdu/octets.ts';
import {
  CARD_ID,
  CARD_KEYS,
  END,
  makeFixedKey,
  findKey,
  sealAnew,
  signAnew,
  SERIAL,
  SERVICE,
  START,
  USD,
} from '../messages/messages.ts';
import {
  makeBlindCipher,
  sealBlindContent,
  sealTreeLeaf,
  sealSeedParts,
  sealSegmentPurchase,
  sealUnderSlot,
} from '../messages/purchase-messages.ts';
import { encodeU32 } from '../tester.ts';

/** What purchases other than of a service, trees, blind content and the holder add to the fuzz; all of one service. */
export type HolderCommand =
  | { readonly do: 'bought'; readonly id: number; readonly number: number; readonly to: number }
  | {
      readonly do: 'seeds';
      readonly id: number;
      readonly number: number;
      readonly part: number;
      readonly range: number;
      readonly to: number;
    }
  | {
      readonly do: 'slot';
      readonly id: number;
      readonly slot: number;
      readonly epoch: number;
      readonly blind: boolean;
      readonly tariff: number;
      readonly to: number;
    }
  | { readonly do: 'blind key'; readonly id: number; readonly flat: boolean; readonly price: number }
  | { readonly do: 'blind'; readonly id: number; readonly stream: number; readonly blocks: number }
  | { readonly do: 'leaf'; readonly node: number; readonly number: number }
  | { readonly do: 'node'; readonly child: number; readonly version: number; readonly under: number }
  | { readonly do: 'pair'; readonly parent: number; readonly kind: number; readonly id: number }
  | { readonly do: 'leave'; readonly id: number; readonly to: number }
  | { readonly do: 'sign'; readonly kind: number; readonly to: number }
  | { readonly do: 'log'; readonly back: number }
  | { readonly do: 'data'; readonly object: number }
  | { readonly do: 'verify'; readonly pin: number }
  | { readonly do: 'change'; readonly pin: number; readonly next: number }
  | { readonly do: 'spend limit'; readonly amount: number }
  | { readonly do: 'credit limit'; readonly number: number; readonly amount: number; readonly id: number };

const RANGES = [
  [0, 8],
  [5, 8171],
  [3, 4],
  [0, 2 ** 20],
] as const;
/** Kinds and ids of keys that are often here, and may wrap this or that. */
const PARENTS = [
  [KIND.unique, SERIAL],
  [KIND.service, 1],
  [KIND.segment, 100],
  [KIND.content, 5000],
] as const;
/** Octets of body that each kind has. */
const BODIES: Readonly<Record<number, number>> = { 0x10: 32, 0x11: 0, 0x12: 48, 0x13: 48, 0x14: 64, 0x15: 0 };
const TARIFFS = ['free', 'octets', 'duration', 'flat'] as const;

const id = fc.constantFrom(1, 100, 200, 300);
const to = fc.constantFrom(0, 100, 200, 1000, 1000);
const number = fc.oneof(fc.nat({ max: 6 }), fc.nat({ max: 70 }));
const contentId = fc.constantFrom(5000, 5000, 5001, 6000);
const amount = fc.constantFrom(0, 1, 250_000, 1_000_000, 100_000_000, 2 ** 39, 2 ** 48 - 1);

/** The nodes of the path from leaf 6 to the root are 6, 2, 1. */
export const holderCommand: fc.Arbitrary<HolderCommand> = fc.oneof(
  fc.record({ do: fc.constant('bought'), id: fc.constantFrom(100, 200), number, to }),
  fc.record({
    do: fc.constant('seeds'),
    id: fc.constantFrom(300, 300, 301),
    number,
    part: fc.nat({ max: 3 }),
    range: fc.nat({ max: RANGES.length - 1 }),
    to,
  }),
  fc.record({
    do: fc.constant('slot'),
    id: contentId,
    slot: fc.constantFrom(0, 3, 7, 8170, 0xfffff),
    epoch: fc.constantFrom(0, 0, 5, 6),
    blind: fc.boolean(),
    tariff: fc.nat({ max: 3 }),
    to,
  }),
  fc.record({
    do: fc.constant('blind key'),
    id: contentId,
    flat: fc.boolean(),
    price: fc.constantFrom(0, 1, 400_000, 1_000_001),
  }),
  fc.record({
    do: fc.constant('blind'),
    id: contentId,
    stream: fc.nat({ max: 2 }),
    blocks: fc.integer({ min: 1, max: 15 }),
  }),
  fc.record({ do: fc.constant('leaf'), node: fc.constantFrom(6, 6, 7, 1), number }),
  fc.record({
    do: fc.constant('node'),
    child: fc.constantFrom(6, 2, 3),
    version: fc.constantFrom(5, 6),
    under: fc.constantFrom(0, 5, 6),
  }),
  fc.record({
    do: fc.constant('pair'),
    parent: fc.nat({ max: PARENTS.length - 1 }),
    kind: fc.constantFrom(0x10, 0x11, 0x12, 0x13, 0x14, 0x15),
    id: fc.constantFrom(1, 100, 300, 5000),
  }),
  fc.record({ do: fc.constant('leave'), id, to }),
  fc.record({ do: fc.constant('sign'), kind: fc.constantFrom(0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48), to }),
  fc.record({ do: fc.constant('log'), back: fc.constantFrom(0, 0, 1, 2, 5, 63, 64) }),
  fc.record({ do: fc.constant('data'), object: fc.constantFrom(0x0102, 0x0103, 0x0101, 0x0200) }),
  fc.record({ do: fc.constant('verify'), pin: fc.constantFrom(0, 0, 1) }),
  fc.record({ do: fc.constant('change'), pin: fc.constantFrom(0, 1), next: fc.constantFrom(0, 0, 1) }),
  fc.record({ do: fc.constant('spend limit'), amount: fc.oneof(amount, fc.constantFrom(300_000, 600_000)) }),
  fc.record({ do: fc.constant('credit limit'), number: fc.nat({ max: 4 }), amount, id: fc.nat({ max: 1 }) }),
);

/** PINs that come up, 8 octets. */
export function choosePin(which: number): Uint8Array {
  return makeFixedKey(`pin ${which}`).subarray(0, 8);
}

/** A node's key in a version; a leaf has version 0. */
function makeNodeKey(node: number, version: number): Uint8Array {
  return makeFixedKey(`node ${node}.${version}`);
}

function encodeU48(value: number): Uint8Array {
  const octets = new Uint8Array(6);
  SPEND_LIMIT_DATA.writeUint(octets, 'limit', value);
  return octets;
}

function chooseStreams(pair = 0): { ssrcs: readonly [number, number] } {
  return { ssrcs: [0x1000 + 4 * pair, 0x1002 + 4 * pair] };
}

export function makeHolderApdu(what: HolderCommand, position: number): CommandApdu {
  const command = { cla: CLA_MODULE, p1: 0, p2: 0, le: 256 };
  const load = (data: Uint8Array): CommandApdu => ({ ...command, ins: INS.LOAD_KEY, data });
  switch (what.do) {
    case 'bought':
      return load(
        sealSegmentPurchase(what.number, { keyId: what.id, to: START + 1 + what.to, perMegabyte: 1_000_000n }),
      );
    case 'seeds': {
      const [first, end] = RANGES[what.range]!;
      const parts = sealSeedParts(what.number, first, end, { keyId: what.id, to: START + 1 + what.to });
      return load(parts[what.part % parts.length]!);
    }
    case 'slot': {
      const kind = TARIFFS[what.tariff]!;
      const terms = { kind, price: kind === 'free' ? 0n : 250_000n, ...chooseStreams() };
      const options = {
        keyId: what.id,
        kind: what.blind ? KIND.blind : KIND.content,
        to: START + 1 + what.to,
        epoch: what.epoch,
        epochKey: what.epoch === 0 ? new Uint8Array(16) : makeNodeKey(1, what.epoch),
      };
      return load(sealUnderSlot(what.slot, options, terms));
    }
    case 'blind key': {
      const terms = what.flat ? { kind: 'flat' as const, price: BigInt(what.price) } : {};
      return load(sealBlindContent({ ...terms, ...chooseStreams() }, what.id));
    }
    case 'blind': {
      const packet = { keyId: what.id, ssrc: 0x1000 + 2 * what.stream, number: position };
      const blocks = sealBlind(makeBlindCipher(what.id), packet, new Uint8Array(16 * what.blocks).fill(position));
      const data = encodeBlind(packet, blocks);
      return { ...command, ins: INS.DECODE, p1: 1, data };
    }
    case 'leaf':
      return load(sealTreeLeaf(what.number, { leaf: what.node, key: makeNodeKey(what.node, 0) }));
    case 'node': {
      const header = {
        kind: KIND.node,
        service: SERVICE,
        keyId: parentNode(what.child),
        from: START,
        to: END,
        number: what.version,
        parentKind: KIND.node,
        parentId: what.child,
      } as const;
      const key = makeNodeKey(header.keyId, what.version);
      return load(sealKeyMessage(header, key, new Uint8Array(0), makeNodeKey(what.child, what.under)).octets);
    }
    case 'pair': {
      const [parentKind, parentId] = PARENTS[what.parent]!;
      const header = {
        kind: what.kind as KeyKind,
        service: SERVICE,
        keyId: what.id,
        from: START,
        to: END,
        number: position,
        parentKind: parentKind as ParentKind,
        parentId,
      };
      const key = new Uint8Array(what.kind === KIND.seeds ? 128 : 16);
      const parent = parentKind === KIND.unique ? CARD_KEYS.downlink : findKey(parentKind, SERVICE, parentId);
      const bought = what.kind === KIND.segment && parentKind === KIND.unique;
      const body = new Uint8Array(bought ? BODIES[KIND.service]! : BODIES[what.kind]!);
      return load(sealKeyMessage(header, key, body, parent).octets);
    }
    case 'leave':
      return {
        ...command,
        ins: INS.LEAVE,
        data: concat(encodeU32(SERVICE), encodeU32(what.id), encodeU32(START + what.to)),
      };
    case 'sign': {
      const data = concat(
        encodeU32(SERVICE),
        encodeU32(START),
        encodeU32(START + what.to),
        new Uint8Array(28).fill(position),
      );
      return { ...command, ins: INS.SIGN_REQUEST, p2: what.kind, data };
    }
    case 'log':
      return { ...command, ins: INS.GET_LOG, p2: what.back };
    case 'data':
      return { ...command, ins: INS.GET_DATA, p1: what.object >> 8, p2: what.object & 0xff };
    case 'verify':
      return { ...command, ins: INS.VERIFY, data: choosePin(what.pin) };
    case 'change':
      return { ...command, ins: INS.CHANGE_PIN, data: concat(choosePin(what.pin), choosePin(what.next)) };
    case 'spend limit':
      return { ...command, ins: INS.SET_SPEND_LIMIT, data: encodeU48(what.amount) };
    case 'credit limit': {
      const loadId = new Uint8Array(8).fill(what.id);
      const order = { cardId: CARD_ID, number: what.number, currency: USD, amount: BigInt(what.amount), loadId };
      return { ...command, ins: INS.LOAD_CREDIT, data: signCreditLimit(order, CARD_KEYS['load-in']) };
    }
  }
}

/**
 * Changed by someone who has the key and signs it again; as it is where nothing is signed or the key is not to be had.
 */
export function spoilHolder(
  what: HolderCommand,
  data: Uint8Array,
  change: (most: number) => (octets: Uint8Array) => void,
): Uint8Array {
  switch (what.do) {
    case 'bought':
    case 'seeds':
    case 'leaf':
      return sealAnew(data, CARD_KEYS.downlink, change(data.length - 16));
    case 'blind key':
      return sealAnew(data, findKey(KIND.service, SERVICE, 1), change(data.length - 8));
    case 'node':
      return sealAnew(data, makeNodeKey(what.child, what.under), change(data.length - 8));
    case 'credit limit':
      return signAnew(data, CARD_KEYS['load-in'], change(data.length - 16));
    default:
      return data;
  }
}
