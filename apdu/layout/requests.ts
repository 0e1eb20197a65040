import { CARD_ID } from './card.ts';
import { layout } from './field-table.ts';
import { opaque, reserved, u32 } from './field.ts';
import { FRAME, TAG } from './message-frame.ts';

/** A card's statement that it took a message under its unique key; `firmware-notes/protocol.md` 4.5. */
export const CONFIRM = layout('confirm', {
  ...FRAME,
  /** 8 octets. */
  cardId: opaque(CARD_ID.length),
  /** This and what follows as in the message. */
  service: u32(),
  keyId: u32(),
  number: u32(),
  from: u32(),
  to: u32(),
  tag: TAG,
});

/** A card's statement that one of its purchases ends earlier, for good; `firmware-notes/protocol.md` 4.5. */
export const LEAVE_RECORD = layout('leave record', {
  ...FRAME,
  /** 8 octets. */
  cardId: opaque(CARD_ID.length),
  service: u32(),
  keyId: u32(),
  /** Number of the purchase's message; for seeds that of part 0. */
  number: u32(),
  /** The purchase's end from now on. */
  to: u32(),
  reserved: reserved(4),
  tag: TAG,
});

/** The least `to` of a request that is a time; `firmware-notes/protocol.md` 4.5. */
export const MIN_REQUEST_TIME = 2 ** 20;

/** `to` of a leave at the end of the present slot, and of a key request as long as the join lasts. */
export const OPEN_REQUEST_END = 0;

const REQUEST_FIELDS = {
  service: u32(),
  /** Media time that it is about; without a start of its own the client's now. */
  from: u32(),
  /** Media time; below {@link MIN_REQUEST_TIME} a number of whole slots. */
  to: u32(),
  /** 8 octets that differ in every request, so that none is good twice. */
  requestId: opaque(8),
  /** 20 octets that bind it to the session in which it is asked. */
  sessionHash: opaque(20),
};

/** What SIGN REQUEST takes: the request without what the card adds. */
export const REQUEST_DATA = layout('request data', REQUEST_FIELDS);

/** A request, signed by the card; `firmware-notes/protocol.md` 4.5. */
export const REQUEST = layout('request', {
  ...FRAME,
  /** 8 octets. */
  cardId: opaque(CARD_ID.length),
  ...REQUEST_FIELDS,
  reserved: reserved(12),
  tag: TAG,
});

/** What LEAVE takes. */
export const LEAVE_DATA = layout('leave data', { service: u32(), keyId: u32(), to: u32() });
