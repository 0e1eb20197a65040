import { type ContentCiphers, contentCiphers } from '../../../apdu/decode-module/packets/card-part.ts';
import { deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { readUint, writeUint } from '../../../apdu/octets.ts';

/** What a key of any kind has. `from` and `to` as kept, the overlap with its parents; a leave lowers `to`. */
interface KeyBase {
  readonly parentKind: number;
  readonly service: number;
  readonly id: number;
  readonly from: number;
  to: number;
}

/** The two working keys, schedules made. */
interface Working {
  readonly ciphers: ContentCiphers;
}

/** What a message under the unique key brought and paid for; `firmware-notes/protocol.md` 4.2. Persistent. */
interface Terms extends KeyBase {
  /** Of the message that brought it; of seeds that of part 0. */
  readonly number: number;
  /** Of seeds the parts there are, less one. */
  readonly lastPart: number;
  /** 24 octets: all but what is reserved. */
  readonly ceilings: Uint8Array;
}

export interface KeyPurchase extends Terms, Working {
  readonly kind: typeof KIND.service | typeof KIND.segment;
}

export interface SeedPurchase extends Terms {
  readonly kind: typeof KIND.seeds;
}

/** The private half of a service's pair; `firmware-notes/protocol.md` 4.9. */
export interface PairPurchase extends Terms {
  readonly kind: typeof KIND.servicePair;
  /** 32 octets. */
  readonly privateKey: Uint8Array;
}

export type Purchase = KeyPurchase | PairPurchase | SeedPurchase;

/** A segment key under a service key, in RAM. */
export interface SegmentKey extends KeyBase, Working {
  readonly kind: typeof KIND.segment;
  readonly purchase: Purchase;
}

/** In RAM; `firmware-notes/protocol.md` 4.3. */
export interface ContentKey extends KeyBase, Working {
  readonly kind: typeof KIND.content | typeof KIND.blind;
  /** Of a slot its purchase. */
  readonly parent: Purchase | SegmentKey;
  readonly purchase: Purchase;
  readonly tariff: number;
  readonly price: number;
  readonly segment: number;
  readonly firstSsrc: number;
  readonly secondSsrc: number;
}

/** Of a key tree; persistent. It has no validity: `from` is its version. */
export interface TreeNode extends KeyBase {
  readonly kind: typeof KIND.node;
  /** Of the message that brought a leaf; else 0. */
  readonly number: number;
  /** 16 octets. */
  readonly key: Uint8Array;
}

export type CardKey = Purchase | SegmentKey | ContentKey | TreeNode;

export const KEY_PURCHASES = 16;
const PAIR_PURCHASES = 4;
export const SEED_PURCHASES = 4;
/** Places of purchases: keys, then pairs, then seeds. */
export const FIRST_SEEDS = KEY_PURCHASES + PAIR_PURCHASES;
export const PURCHASES = FIRST_SEEDS + SEED_PURCHASES;
export const NODES = 12;
export const SEGMENT_PLACES = 4;
export const CONTENT_PLACES = 2;

/** What ceilings say, `firmware-notes/protocol.md` 4.2. Money in micro-units. */
export interface Limits {
  /** Per 1,000,000 octets, per hour, per segment: by tariff 1 to 3. */
  readonly prices: readonly [number, number, number];
  readonly groupOctets: number;
  readonly groupDuration: number;
  readonly quantum: number;
}

export function limitsOf({ ceilings }: Purchase): Limits {
  return {
    prices: [readUint(ceilings, 0, 4), readUint(ceilings, 4, 4), readUint(ceilings, 8, 4)],
    groupOctets: readUint(ceilings, 12, 3),
    groupDuration: readUint(ceilings, 15, 3),
    quantum: readUint(ceilings, 18, 6),
  };
}

/** In persistent memory: kind u8, last part u8, parent kind u8, 1 spare, service, id, from, to, number u32 each, ceilings 24, key 32. */
export const PURCHASE_LENGTH = 80;
/** Of `to` in it. */
export const PURCHASE_END = 16;
const CEILINGS_AT = 24;
const KEY_AT = 48;
export const CEILINGS_LENGTH = KEY_AT - CEILINGS_AT;

/** A purchase as LOAD KEY has found it right. */
export type NewPurchase = Terms & { readonly kind: Purchase['kind'] };

/** @param key 16 octets, a private half 32; none for seeds. */
export function encodePurchase(purchase: NewPurchase, key: Uint8Array): Uint8Array {
  const octets = new Uint8Array(PURCHASE_LENGTH);
  octets[0] = purchase.kind;
  octets[1] = purchase.lastPart;
  octets[2] = purchase.parentKind;
  writeUint(octets, 4, 4, purchase.service);
  writeUint(octets, 8, 4, purchase.id);
  writeUint(octets, 12, 4, purchase.from);
  writeUint(octets, PURCHASE_END, 4, purchase.to);
  writeUint(octets, 20, 4, purchase.number);
  octets.set(purchase.ceilings, CEILINGS_AT);
  octets.set(key, KEY_AT);
  return octets;
}

/** Nothing when the place is free. */
export function decodePurchase(octets: Uint8Array): Purchase | undefined {
  const kind = octets[0];
  const service = readUint(octets, 4, 4);
  const id = readUint(octets, 8, 4);
  const terms = {
    parentKind: readUint(octets, 2, 1),
    service,
    id,
    from: readUint(octets, 12, 4),
    to: readUint(octets, PURCHASE_END, 4),
    number: readUint(octets, 20, 4),
    lastPart: readUint(octets, 1, 1),
    ceilings: octets.slice(CEILINGS_AT, KEY_AT),
  };
  if (kind === KIND.seeds) return { ...terms, kind };
  if (kind === KIND.servicePair) return { ...terms, kind, privateKey: octets.slice(KEY_AT) };
  if (kind !== KIND.service && kind !== KIND.segment) return undefined;
  return {
    ...terms,
    kind,
    ciphers: contentCiphers(deriveWorkingKeys(kind, service, id, octets.subarray(KEY_AT, KEY_AT + 16))),
  };
}

/** In persistent memory: kind u8, parent kind u8, 2 spare, service, id, version, number u32 each, key 16. */
export const NODE_LENGTH = 36;

export function encodeNode(node: TreeNode): Uint8Array {
  const octets = new Uint8Array(NODE_LENGTH);
  octets[0] = node.kind;
  octets[1] = node.parentKind;
  writeUint(octets, 4, 4, node.service);
  writeUint(octets, 8, 4, node.id);
  writeUint(octets, 12, 4, node.from);
  writeUint(octets, 16, 4, node.number);
  octets.set(node.key, 20);
  return octets;
}

/** Nothing when the place is free. */
export function decodeNode(octets: Uint8Array): TreeNode | undefined {
  if (octets[0] !== KIND.node) return undefined;
  return {
    kind: KIND.node,
    parentKind: readUint(octets, 1, 1),
    service: readUint(octets, 4, 4),
    id: readUint(octets, 8, 4),
    from: readUint(octets, 12, 4),
    to: 0xffff_ffff,
    number: readUint(octets, 16, 4),
    key: octets.slice(20, NODE_LENGTH),
  };
}
