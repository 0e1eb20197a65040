/** First octet of everything that carries a MAC; `firmware-notes/protocol.md` 1.3. */
export const KIND = {
  unique: 0x01,
  service: 0x10,
  segment: 0x11,
  content: 0x12,
  sealed: 0x20,
  open: 0x21,
  loadRequest: 0x30,
  loadOrder: 0x31,
  loadProof: 0x32,
  receipt: 0x40,
  acknowledgement: 0x41,
} as const;

/** The version of every message, `firmware-notes/protocol.md` 1. */
export const MESSAGE_VERSION = 1;

/** Kinds of key that a key message can carry. */
export type KeyKind = typeof KIND.service | typeof KIND.segment | typeof KIND.content;

/** Kinds of key that a key message can be wrapped under. */
export type ParentKind = typeof KIND.unique | typeof KIND.service | typeof KIND.segment;
