import { encodeCeilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import { sealKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { type P256Pair, p256PairOf } from '../../../apdu/decode-module/keys/p256.ts';
import { derivePairParent } from '../../../apdu/decode-module/keys/public-key-parent.ts';
import { sealServicePair } from '../../../apdu/decode-module/keys/service-pair.ts';
import { type KeyKind, KIND } from '../../../apdu/decode-module/kinds.ts';
import {
  CARD_KEYS,
  CEILINGS,
  CONTENT_KEY_ID,
  encodeContent,
  END,
  findKey,
  SEGMENT_KEY_ID,
  SERIAL,
  SERVICE,
  START,
  type TermOptions,
} from './messages.ts';

/** A pair that says in its private half whose it is. */
export function makeFixedPair(name: string): P256Pair {
  const half = new Uint8Array(32);
  new TextEncoder().encodeInto(name.padEnd(32, '.'), half);
  return p256PairOf(half);
}

/** Whose point DGI 0004 brings. */
export const HEAD_END = makeFixedPair('head-end');
export const SERVICE_PAIR_ID = 400;
export const SERVICE_PAIR = makeFixedPair('service pair');
export const EPHEMERAL = makeFixedPair('ephemeral');

interface PairOptions {
  keyId?: number;
  from?: number;
  to?: number;
  perMegabyte?: bigint;
  privateKey?: Uint8Array;
}

/** The private half of the service's pair under the unique key. */
export function sealPairPurchase(number: number, options: PairOptions = {}): Uint8Array {
  const { keyId = SERVICE_PAIR_ID, from = START, to = END, privateKey = SERVICE_PAIR.privateKey } = options;
  const ceilings = { ...CEILINGS, perMegabyte: options.perMegabyte ?? CEILINGS.perMegabyte };
  const purchase = { service: SERVICE, keyId, from, to, number, ceilings, privateKey };
  return sealServicePair(purchase, { serial: SERIAL, downlinkKey: CARD_KEYS.downlink }).octets;
}

/** The same with any 32 octets inside. */
export function sealRawPairPurchase(number: number, privateKey: Uint8Array, keyId = SERVICE_PAIR_ID): Uint8Array {
  const header = {
    kind: KIND.servicePair,
    service: SERVICE,
    keyId,
    from: START,
    to: END,
    number,
    parentKind: KIND.unique,
    parentId: SERIAL,
  } as const;
  return sealKeyMessage(header, privateKey, encodeCeilings(CEILINGS), CARD_KEYS.downlink).octets;
}

interface UnderPairOptions {
  keyId?: number;
  from?: number;
  to?: number;
  /** Needed under a card's own pair. */
  number?: number;
  pairId?: number;
  /** Of the receiver, 65 octets. */
  publicKey?: Uint8Array;
  parentKind?: typeof KIND.cardPair | typeof KIND.servicePair;
  serial?: number;
  staticKey?: Uint8Array;
  ephemeral?: P256Pair;
  key?: Uint8Array;
}

/** A message of any kind under the service's pair, or a card's own. */
export function sealUnderPair(kind: KeyKind, body: Uint8Array, options: UnderPairOptions = {}): Uint8Array {
  const { parentKind = KIND.servicePair, keyId = SEGMENT_KEY_ID, from = START, to = END, number = 0 } = options;
  const { pairId = SERVICE_PAIR_ID, publicKey = SERVICE_PAIR.publicKey, serial = SERIAL } = options;
  const { staticKey = HEAD_END.privateKey, ephemeral = EPHEMERAL } = options;
  const parentId = parentKind === KIND.cardPair ? serial : pairId;
  const header = { kind, service: SERVICE, keyId, from, to, number, parentKind, parentId };
  const key = options.key ?? findKeyInside(kind, keyId);
  return sealKeyMessage(header, key, body, derivePairParent(header, publicKey, { staticKey, ephemeral })).octets;
}

function findKeyInside(kind: KeyKind, keyId: number): Uint8Array {
  if (kind === KIND.seeds) return new Uint8Array(128);
  return kind === KIND.servicePair ? SERVICE_PAIR.privateKey : findKey(kind, SERVICE, keyId);
}

export function sealSegmentUnderPair(options: UnderPairOptions = {}): Uint8Array {
  return sealUnderPair(KIND.segment, new Uint8Array(0), options);
}

export function sealContentUnderPair(terms: TermOptions = {}, options: UnderPairOptions = {}): Uint8Array {
  return sealUnderPair(KIND.content, encodeContent(terms), { keyId: CONTENT_KEY_ID, ...options });
}
