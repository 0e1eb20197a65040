import { layout } from './field-table.ts';
import { amount, opaque, oneOf, reserved, u16, u24, u32, u8 } from './field.ts';
import { MAX_MONEY } from './max-money.ts';

/** What a module is: a chip that keeps its keys, or a program that keeps nothing from its owner. */
export const MODULE_CLASS = { card: 0x01, soft: 0x02 } as const;

/** Who issued a module and which one it is; `firmware-notes/protocol.md` 1. */
export const CARD_ID = layout('card id', {
  issuer: u24(),
  moduleClass: oneOf(MODULE_CLASS),
  serial: u32(),
});

/** DGI 0001: who a card is and how much it may hold; `firmware-notes/protocol.md` 3. */
export const CARD_PROFILE = layout('card profile', {
  /** 8 octets. */
  cardId: opaque(CARD_ID.length),
  /** ISO 4217 number. */
  currency: u16(),
  /** Most that loaded - spent may come to, micro-units, at most 2^39 - 1. */
  maximumBalance: amount({ max: MAX_MONEY }),
  /** Amount of unacknowledged receipts from which on the card starts no new session, micro-units. */
  maximumUnacknowledged: amount(),
  reserved: reserved(2),
});

/** DGI 0002: what the holder's card allows; `firmware-notes/protocol.md` 3. */
export const CARD_LIMITS = layout('card limits', {
  /** Micro-units a day of media time; 2^48 - 1: none. */
  spendLimit: amount(),
  /** Age; 0: none. */
  ratingLimit: u8(),
  /** Bit 0: OPEN needs the PIN. Bit 1: a verified PIN lifts the rating limit. */
  pinPolicy: u8(),
  reserved: reserved(8),
});

const VERIFICATION_KEY_FIELDS = {
  /** 1 to 2^32 - 1; 0 in a place that is empty. */
  id: u32(),
  /** Ed25519 public key, 32 octets. */
  key: opaque(32),
};

/** A verification key as a card keeps it and GET DATA 0103 shows it; `firmware-notes/protocol.md` 2.3. */
export const VERIFICATION_KEY = layout('verification key', VERIFICATION_KEY_FIELDS);

/** DGI 0003; `firmware-notes/protocol.md` 3. */
export const VERIFICATION_KEY_VALUE = layout('verification key value', {
  /** 0 to 3. */
  place: u8({ max: 3 }),
  ...VERIFICATION_KEY_FIELDS,
});

/** DGI 8001: the keys of one card; `firmware-notes/protocol.md` 3. */
export const CARD_KEY_VALUE = layout('card keys', {
  downlink: opaque(16),
  uplink: opaque(16),
  receipt: opaque(16),
  acknowledgement: opaque(16),
  'load-in': opaque(16),
  'load-out': opaque(16),
});

/** GET DATA 0100; `firmware-notes/protocol.md` 2.3. */
export const MODULE_DATA = layout('module data', {
  /** As in the SELECT answer. */
  capabilities: u32(),
  /** Longest span in octets. */
  maxSpan: u16(),
  /** Most octets of data in one command. */
  maxCommandData: u16(),
  /** Of the applet or soft module, major and minor octet; to be shown, never to be decided by. */
  appletVersion: u16(),
  /** Free persistent memory in pages of 256 octets, as far as the module knows. */
  freePages: u16(),
});

/** GET DATA 0102; `firmware-notes/protocol.md` 2.3. */
export const LIMITS_IN_FORCE = layout('limits in force', {
  /** Age; 0: none. */
  ratingLimit: u8(),
  /** As in DGI 0002. */
  pinPolicy: u8(),
  /** Of the PIN; 255 where none was set. */
  triesLeft: u8(),
  /** 1 while the PIN is verified, else 0. */
  verified: u8({ max: 1 }),
});

/** The data objects in the SELECT answer: tag and octets of each; `firmware-notes/protocol.md` 2.1. */
export const SELECT_ANSWER = {
  version: { tag: 0x80, size: 2 },
  cardId: { tag: 0x81, size: CARD_ID.length },
  life: { tag: 0x82, size: 1 },
  capabilities: { tag: 0x83, size: 4 },
  maxSpan: { tag: 0x84, size: 2 },
  maxCommandData: { tag: 0x85, size: 2 },
  currency: { tag: 0x86, size: 2 },
} as const;

/** What stands before the value in STORE DATA; `firmware-notes/protocol.md` 3. */
export const STORE_DATA_HEADER = layout('header of STORE DATA', { dgi: u16(), length: u8() });

/** What SET SPEND LIMIT takes. */
export const SPEND_LIMIT_DATA = layout('spend limit', { limit: amount() });
