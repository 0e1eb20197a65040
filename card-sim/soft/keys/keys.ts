import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { TARIFF } from '../../../apdu/decode-module/money/tariff.ts';
import { type ContentCiphers, makeContentCiphers } from '../../../apdu/decode-module/packets/card-part.ts';
import { deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import { layout } from '../../../apdu/layout/field-table.ts';
import { opaque, reserved, u32, u8 } from '../../../apdu/layout/field.ts';
import { CEILINGS } from '../../../apdu/layout/keys.ts';

/** The fields of a key of any kind. `from` and `to` are its overlap with its parents; a leave lowers `to`. */
interface KeyBase {
  readonly parentKind: number;
  readonly service: number;
  readonly id: number;
  readonly from: number;
  to: number;
}

/** A key, and its working keys with their schedules made. */
interface WithCiphers {
  /** 16 octets. */
  readonly key: Uint8Array;
  readonly ciphers: ContentCiphers;
}

/** The terms of a purchase, which a message under the unique key or the own pair brought (protocol 4.2). Persistent. */
interface Terms extends KeyBase {
  /** Number of the message that brought it; of seeds that of part 0. */
  readonly number: number;
  /** Number of the last part of seeds; 0 for all else. */
  readonly lastPart: number;
  /** The ceilings as they came, without currency and reserved octets: 24 octets. */
  readonly ceilings: Uint8Array;
}

export interface KeyPurchase extends Terms, WithCiphers {
  readonly kind: typeof KIND.service | typeof KIND.segment;
}

export interface SeedPurchase extends Terms {
  readonly kind: typeof KIND.seeds;
}

/** The private half of a service's pair (protocol 4.9). */
export interface PairPurchase extends Terms {
  readonly kind: typeof KIND.servicePair;
  /** The private half, 32 octets. */
  readonly key: Uint8Array;
}

export type Purchase = KeyPurchase | PairPurchase | SeedPurchase;

/** A segment key under a service key, in RAM. */
export interface SegmentKey extends KeyBase, WithCiphers {
  readonly kind: typeof KIND.segment;
  purchase: Purchase;
}

/** A content key, in RAM (protocol 4.3). */
export interface ContentKey extends KeyBase, WithCiphers {
  readonly kind: typeof KIND.content | typeof KIND.blind;
  /** Under a slot the seed purchase. */
  parent: Purchase | SegmentKey;
  purchase: Purchase;
  readonly tariff: number;
  readonly price: number;
  readonly segment: number;
  readonly firstSsrc: number;
  readonly secondSsrc: number;
}

/** A node of a key tree (protocol 4.7), persistent. It has no validity: `from` is its version. */
export interface TreeNode extends KeyBase {
  readonly kind: typeof KIND.node;
  /** Number of the message that brought a leaf; else 0. */
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
export const NODES = 24;
export const SEGMENT_PLACES = 4;
export const CONTENT_PLACES = 2;

/** Whether content of this tariff is dearer than its purchase allows. @param tariff as in `TARIFF`. */
export function exceedsPriceCeiling({ ceilings }: Purchase, tariff: number, price: number): boolean {
  switch (tariff) {
    case TARIFF.octets:
      return price > CEILINGS.readUint(ceilings, 'perMegabyte');
    case TARIFF.duration:
      return price > CEILINGS.readUint(ceilings, 'perHour');
    case TARIFF.flat:
      return price > CEILINGS.readUint(ceilings, 'flat');
    default:
      return price > 0;
  }
}

/** Whether a purchase that replaces another holds all of its validity, and no lower ceiling on a price (4.4). */
export function isExtension(now: Purchase, before: Purchase): boolean {
  if (now.from > before.from || now.to < before.to) return false;
  return (['perMegabyte', 'perHour', 'flat'] as const).every(
    (field) => CEILINGS.readUint(now.ceilings, field) >= CEILINGS.readUint(before.ceilings, field),
  );
}

/** Octets of the ceilings that are kept: all up to the currency. */
export const CEILINGS_LENGTH = CEILINGS.at.currency;

/** A purchase in persistent memory; this card's own way. */
const PURCHASE_ENTRY = layout('purchase entry', {
  /** 0: the place is free. */
  kind: u8(),
  lastPart: u8(),
  parentKind: u8(),
  spare: reserved(1),
  service: u32(),
  id: u32(),
  from: u32(),
  to: u32(),
  number: u32(),
  ceilings: opaque(CEILINGS_LENGTH),
  /** 16 octets, a private half 32; none for seeds. */
  key: opaque(32),
});

export const PURCHASE_LENGTH = PURCHASE_ENTRY.length;
/** Offset of a purchase's end in its entry. */
export const PURCHASE_END_AT = PURCHASE_ENTRY.at.to;

/** A purchase that is about to be stored. */
export type NewPurchase = Terms & { readonly kind: Purchase['kind'] };

/** @param key 16 octets, a private half 32; none for seeds. */
export function encodePurchase(purchase: NewPurchase, key: Uint8Array): Uint8Array {
  const entry = new Uint8Array(PURCHASE_ENTRY.length);
  const { kind, lastPart, parentKind, service, id, from, to, number, ceilings } = purchase;
  PURCHASE_ENTRY.writeUints(entry, { kind, lastPart, parentKind, service, id, from, to, number });
  entry.set(ceilings, PURCHASE_ENTRY.at.ceilings);
  entry.set(key, PURCHASE_ENTRY.at.key);
  return entry;
}

/** Reads the entry of a place. @returns nothing when the place is free. */
export function decodePurchase(entry: Uint8Array): Purchase | undefined {
  const { kind, key: room, ...terms } = PURCHASE_ENTRY.decode(entry);
  if (kind === KIND.seeds) return { ...terms, kind };
  if (kind === KIND.servicePair) return { ...terms, kind, key: room };
  if (kind !== KIND.service && kind !== KIND.segment) return undefined;
  const { service, id } = terms;
  const key = room.subarray(0, 16);
  return { ...terms, kind, key, ciphers: makeContentCiphers(deriveWorkingKeys(kind, service, id, key)) };
}

/** A tree node in persistent memory; this card's own way. */
const NODE_ENTRY = layout('node entry', {
  /** 0: the place is free. */
  kind: u8(),
  parentKind: u8(),
  spare: reserved(2),
  service: u32(),
  id: u32(),
  /** Its version. */
  from: u32(),
  number: u32(),
  key: opaque(16),
});

export const NODE_LENGTH = NODE_ENTRY.length;

export function encodeNode(node: TreeNode): Uint8Array {
  return NODE_ENTRY.encode(node);
}

/** Reads the entry of a place. @returns nothing when the place is free. */
export function decodeNode(entry: Uint8Array): TreeNode | undefined {
  const { kind, ...node } = NODE_ENTRY.decode(entry);
  return kind === KIND.node ? { ...node, kind, to: 0xffff_ffff } : undefined;
}
