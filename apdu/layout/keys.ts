import { layout } from './field-table.ts';
import { amount, opaque, price, reserved, u16, u24, u32, u8 } from './field.ts';
import { MAX_MONEY } from './max-money.ts';
import { FRAME, TAG } from './message-frame.ts';

/** The header of a key message; `firmware-notes/protocol.md` 4. */
export const KEY_MESSAGE_HEADER = layout('key message header', {
  ...FRAME,
  service: u32(),
  keyId: u32(),
  /** First second in which the key holds, seconds since 1970. */
  from: u32(),
  /** First second in which it no longer holds. */
  to: u32(),
  /** Rises with every message for one card alone; version of a tree node under its child; else 0. */
  number: u32(),
  parentKind: u8(),
  /** Which part of a seed purchase it is; nothing else has flags. */
  flags: u8(),
  reserved: reserved(2),
  /** Under a card's own key or pair its serial. */
  parentId: u32(),
});

/** The name of a key, which goes into its working keys; `firmware-notes/protocol.md` 1.1. */
export const KEY_NAME = layout('key name', { kind: u8(), service: u32(), keyId: u32() });

/** The name of a slot, which goes into its working keys; `firmware-notes/protocol.md` 4.6. */
export const SLOT_NAME = layout('slot name', { kind: u8(), service: u32(), slot: u32(), epoch: u32() });

/** What a purchase allows the head-end to ask for at most; `firmware-notes/protocol.md` 4.2. Money in micro-units. */
export const CEILINGS = layout('ceilings', {
  /** Most per 1,000,000 octets. */
  perMegabyte: price(),
  /** Most per 3,600,000 ms. */
  perHour: price(),
  /** Most per segment. */
  flat: price(),
  /** Most octets in one group. */
  groupOctets: u24(),
  /** Most ms in one group. */
  groupDuration: u24(),
  /** What the card takes from the balance at a time, 1 to 2^39 - 1. */
  quantum: amount({ min: 1n, max: MAX_MONEY }),
  /** ISO 4217 number of the currency that all this is in; 0: that of any card. */
  currency: u16(),
  reserved: reserved(6),
});

/** What a content key message says beside the key; `firmware-notes/protocol.md` 4.3. */
export const CONTENT_TERMS = layout('content terms', {
  /** As in `TARIFF`. */
  tariff: u8(),
  /** Least age that it is for; 0: for all. */
  rating: u8(),
  /** Bit 0: cards. Bit 1: soft modules. */
  classes: u8(),
  /** 1: the ciphers of this version. */
  suite: u8(),
  /** Micro-units per 1,000,000 octets, per 3,600,000 ms, or per segment; 0 when free. */
  price: price(),
  /** Segment that the content belongs to: named in receipts, and what a flat price buys. */
  segmentId: u32(),
  /** Under a slot: version of the key tree's root that it needs; 0: none. */
  epoch: u32(),
  firstSsrc: u32(),
  /** The first one again when there is one stream. */
  secondSsrc: u32(),
  /** SRTP master salt, 12 octets. */
  masterSalt: opaque(12),
  reserved: reserved(12),
});

/**
 * A node of the seed tree; `firmware-notes/protocol.md` 4.6. It covers 2^(20-level) slots from index x 2^(20-level)
 * on.
 */
export const SEED_LABEL = layout('seed label', {
  /** 0 (root) to 20 (one slot); FF where there is no seed. */
  level: u8(),
  /** 0 to 2^level - 1. */
  index: u24(),
});

/** Level of a label where there is no seed. */
export const NO_LEVEL = 0xff;

/** Seeds in one message. */
export const SEEDS_OF_PART = 8;

/** One part of a seed purchase; `firmware-notes/protocol.md` 4.6. */
export const SEED_MESSAGE = layout('seed message', {
  header: opaque(KEY_MESSAGE_HEADER.length),
  seeds: opaque(SEEDS_OF_PART * 16),
  labels: opaque(SEEDS_OF_PART * SEED_LABEL.length),
  ceilings: opaque(CEILINGS.length),
  tag: TAG,
});

/** What a combined section says once for all its messages before their body; `firmware-notes/protocol.md` 4.8. */
export const SECTION_HEADER = layout('section header', {
  ...FRAME,
  /** Octets 0 to 27 of each message; of tree nodes without the key id, which is the node above the parent id. */
  common: opaque(KEY_MESSAGE_HEADER.at.parentId),
});

/** What one message of a combined section has of its own; `firmware-notes/protocol.md` 4.8. */
export const SECTION_ENTRY = layout('section entry', {
  parentId: u32(),
  wrappedKey: opaque(16),
  tag: opaque(8),
});

/** A key on the card as LIST KEYS names it; `firmware-notes/protocol.md` 4.4. */
export const KEY_ENTRY = layout('key entry', {
  /** As in `KIND`. */
  kind: u8(),
  parentKind: u8(),
  reserved: reserved(2),
  service: u32(),
  keyId: u32(),
  /** The validity kept, which is the overlap with that of its parents. Seconds since 1970; `to` no longer counts. */
  from: u32(),
  to: u32(),
});
