/** First octet of everything that carries a MAC; `firmware-notes/protocol.md` 1.3. */
export const KIND = {
  unique: 0x01,
  cardPair: 0x02,
  service: 0x10,
  segment: 0x11,
  content: 0x12,
  blind: 0x13,
  seeds: 0x14,
  node: 0x15,
  servicePair: 0x16,
  slot: 0x17,
  sealed: 0x20,
  open: 0x21,
  loadRequest: 0x30,
  loadOrder: 0x31,
  loadProof: 0x32,
  creditLimit: 0x33,
  creditLimitProof: 0x34,
  receipt: 0x40,
  acknowledgement: 0x41,
  confirm: 0x42,
  join: 0x43,
  extend: 0x44,
  leave: 0x45,
  leaveRecord: 0x46,
  keyRequest: 0x47,
  stay: 0x48,
  detachedPart: 0x50,
  combinedSection: 0x60,
} as const;

/** The version of every message, `firmware-notes/protocol.md` 1. */
export const MESSAGE_VERSION = 1;

/** Kinds of key that a key message can carry. */
export type KeyKind =
  | typeof KIND.service
  | typeof KIND.segment
  | typeof KIND.content
  | typeof KIND.blind
  | typeof KIND.seeds
  | typeof KIND.node
  | typeof KIND.servicePair;

/** Kinds of key that a key message can be wrapped under. */
export type ParentKind =
  | typeof KIND.unique
  | typeof KIND.cardPair
  | typeof KIND.service
  | typeof KIND.segment
  | typeof KIND.node
  | typeof KIND.servicePair
  | typeof KIND.slot;

/** Whether a parent is one card's alone: what it brings is consumed once, and confirmed. */
export function isPersonal(parentKind: number): boolean {
  return parentKind === KIND.unique || parentKind === KIND.cardPair;
}

/** Whether a parent is a private half: its messages carry an ephemeral point. */
export function isPairKind(parentKind: number): boolean {
  return parentKind === KIND.cardPair || parentKind === KIND.servicePair;
}

/** A kind of key as the protocol page names it, in camel case. */
export function nameKind(kind: number): string {
  return Object.entries(KIND).find(([, number]) => number === kind)?.[0] ?? `kind ${kind}`;
}
