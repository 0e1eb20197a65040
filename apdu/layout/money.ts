import { CARD_ID } from './card.ts';
import { layout } from './field-table.ts';
import { amount, flag, opaque, oneOf, reserved, ticks, u16, u32, u48 } from './field.ts';
import { FRAME, TAG } from './message-frame.ts';

/** Octets of the issuer's choice that name a load. */
export const LOAD_ID_LENGTH = 8;

/** What the groups of a session come to, beside the money; `firmware-notes/protocol.md` 7.2. */
export const SESSION_TOTALS = layout('session totals', {
  octets: u48(),
  /** ms. */
  duration: u48(),
  groups: u32(),
  firstSegment: u32(),
  lastSegment: u32(),
  /** Media time of the first and the newest group, seconds since 1970. */
  from: u32(),
  to: u32(),
});

/** The highest group opened of a stream; group 0: an empty place; `firmware-notes/protocol.md` 7.2. */
export const MARK = layout('mark', { ssrc: u32(), group: u32() });

/** Streams whose marks a card keeps. */
export const MARKS = 4;

/** The purse record; `firmware-notes/protocol.md` 7.2. Amounts in micro-units. */
export const PURSE_RECORD = layout('purse record', {
  /** Number of the record: rises by one with every write to the purse. */
  sequence: u32(),
  /** All credit ever loaded. */
  loaded: amount(),
  /** All credit ever settled, torn included. */
  spent: amount(),
  /** The part of `spent` that was taken and not used when the power went. */
  torn: amount(),
  /** Number of the last load. */
  loadNumber: u32(),
  /** 8 octets; zeros when there was no load yet. */
  loadId: opaque(LOAD_ID_LENGTH),
  /** Amount of the last load, or the credit limit that it set. */
  loadAmount: amount(),
  /** Number of the last session that paid. */
  session: u32(),
  /** Service of the open session that took credit; 0: there is no such session. */
  service: u32(),
  /** Taken from the balance for the open session. */
  taken: amount(),
  /** What was used when credit was last taken, in ticks of 1/18,000,000 micro-unit. */
  usedAtTake: ticks(),
  openTotals: opaque(SESSION_TOTALS.length),
  lastFlatService: u32(),
  lastFlatSegment: u32(),
  /** Days of media time since 1970. */
  day: u16(),
  /** Taken on that day. */
  spentOfDay: amount(),
  receiptsWritten: u32(),
  receiptsAcknowledged: u32(),
  /** Amounts of the receipts not acknowledged. */
  unacknowledged: amount(),
  /** Oldest first. */
  marks: opaque(MARKS * MARK.length),
  creditLimit: amount(),
  /** Micro-units a day of media time; 2^48 - 1: none. */
  spendLimit: amount(),
  /** The last load set the credit limit. */
  limitLoaded: flag(),
  reserved: reserved(7),
});

/** The purse as GET PURSE shows it; `firmware-notes/protocol.md` 7.2. Amounts in micro-units. */
export const PURSE_STATUS = layout('purse status', {
  /** Number of the record: rises by one with every write to the purse. */
  sequence: u32(),
  /** All credit ever loaded. */
  loaded: amount(),
  /** All credit ever settled, torn included. */
  spent: amount(),
  /** The part of `spent` that was taken and not used when the power went. */
  torn: amount(),
  /** Most that loaded - spent may come to. */
  maximumBalance: amount(),
  /** ISO 4217 number. */
  currency: u16(),
  /** Number of the last load. */
  loadNumber: u32(),
  /** Number of the last session that paid. */
  session: u32(),
  /** Service of the open session; 0: none is open. */
  service: u32(),
  /** Taken from the balance for the open session. */
  taken: amount(),
  /** What the open session has used, in ticks of 1/18,000,000 micro-unit. */
  usedTicks: ticks(),
  receiptsWritten: u32(),
  receiptsAcknowledged: u32(),
  /** Amounts of the receipts not acknowledged. */
  unacknowledged: amount(),
});

/** What a card says of itself when credit is to be loaded; `firmware-notes/protocol.md` 7.4. Amounts in micro-units. */
export const LOAD_REQUEST = layout('load request', {
  ...FRAME,
  /** 8 octets. */
  cardId: opaque(CARD_ID.length),
  /** Number of the last load. */
  number: u32(),
  /** ISO 4217 number. */
  currency: u16(),
  reserved1: reserved(2),
  loaded: amount(),
  spent: amount(),
  torn: amount(),
  /** Taken for a session that is open now. */
  taken: amount(),
  /** 8 octets; zeros when there was no load yet. */
  lastLoadId: opaque(LOAD_ID_LENGTH),
  lastAmount: amount(),
  reserved2: reserved(2),
  receiptsWritten: u32(),
  tag: TAG,
});

/**
 * What the issuer orders. The card's proof that it carried the order out has the same fields, and so have an order
 * that sets the credit limit and its proof; `firmware-notes/protocol.md` 7.4.
 */
export const LOAD_ORDER = layout('load order', {
  ...FRAME,
  /** 8 octets. */
  cardId: opaque(CARD_ID.length),
  /** One more than the request's. The issuer signs no two orders for one number. */
  number: u32(),
  /** ISO 4217 number. */
  currency: u16(),
  reserved1: reserved(2),
  /** To be loaded; or the new credit limit. Micro-units. */
  amount: amount(),
  /** 8 octets of the issuer's choice, never used twice. */
  loadId: opaque(LOAD_ID_LENGTH),
  reserved2: reserved(14),
  tag: TAG,
});

/** What a card says one session came to; `firmware-notes/protocol.md` 7.5. Amounts in micro-units. */
export const RECEIPT = layout('receipt', {
  ...FRAME,
  /** 8 octets. */
  cardId: opaque(CARD_ID.length),
  /** Counts 1, 2, 3 ... without gaps on each card. */
  number: u32(),
  service: u32(),
  session: u32(),
  firstSegment: u32(),
  lastSegment: u32(),
  /** RTP payload of the groups opened. */
  octets: u48(),
  /** ms. */
  duration: u48(),
  groups: u32(),
  /** Media time of the first and the newest group, seconds since 1970. */
  from: u32(),
  to: u32(),
  amount: amount(),
  /** Taken and not used when the power went; 0 when the session was closed. */
  torn: amount(),
  /** This and the next are the purse's counters with this session in them. */
  loaded: amount(),
  spent: amount(),
  /** ISO 4217 number. */
  currency: u16(),
  reason: oneOf({ closed: 1, torn: 2 }),
  reserved: reserved(13),
  tag: TAG,
});

/** The issuer's statement that it has every receipt up to a number; `firmware-notes/protocol.md` 7.6. */
export const ACKNOWLEDGEMENT = layout('acknowledgement', {
  ...FRAME,
  /** 8 octets. */
  cardId: opaque(CARD_ID.length),
  /** Number of the last receipt. */
  upTo: u32(),
  tag: TAG,
});
