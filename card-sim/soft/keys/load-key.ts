import { MOST_MONEY } from '../../../apdu/decode-module/keys/ceilings.ts';
import { type ContentCiphers, contentCiphers } from '../../../apdu/decode-module/packets/card-part.ts';
import { isKeyKind, keyMessageLength, tagLength } from '../../../apdu/decode-module/keys/key-message.ts';
import { deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import { parentNode } from '../../../apdu/decode-module/keys/key-tree.ts';
import { isPersonal, type KeyKind, KIND, MESSAGE_VERSION } from '../../../apdu/decode-module/kinds.ts';
import { SLOT_DEPTH } from '../../../apdu/decode-module/keys/marks.ts';
import { TARIFF } from '../../../apdu/decode-module/money/tariff.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { readUint } from '../../../apdu/octets.ts';
import { type ContentKey, limitsOf, type Purchase, type SegmentKey } from './keys.ts';
import { dropBelow, placeOf } from './key-places.ts';
import { findParent, type FoundParent, isContentKind, type Parent } from './parents.ts';
import { allowsRating } from '../holder-pin.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import { ceilingsAt, confirm, loadPurchase, SEED_CEILINGS_AT } from './purchases.ts';
import { tagFits } from '../tag.ts';
import type { TransientState } from '../memory/transient-state.ts';
import { loadNode } from './tree-nodes.ts';

const BODY_AT = 48;
const SHORTEST = 56;
const CONTENT_LENGTH = 104;
const LABELS_AT = 160;
const NO_LEVEL = 0xff;
const SUITE = 1;

/** LOAD KEY; `firmware-notes/protocol.md` 4.4. @returns the confirm, or the status word. */
export function loadKey(
  persistent: PersistentState,
  transient: TransientState,
  message: Uint8Array,
): Uint8Array | number {
  // Step 1.
  if (message.length < SHORTEST) return STATUS.CRYPTO;
  const kind = message[0]!;
  const parentKind = message[24]!;
  if (parentKind === KIND.slot && isContentKind(kind) && message.length < CONTENT_LENGTH) return STATUS.CRYPTO;
  const found = findParent(persistent, transient, message);
  if (found === undefined) return STATUS.UNKNOWN_KEY;
  // Step 2.
  if (!isKeyKind(kind) || !isFramed(message, kind, parentKind)) return STATUS.CRYPTO;
  const ciphers = ciphersOf(persistent, message, found);
  if (ciphers === undefined || !tagFits(ciphers.mac, message, tagLength(parentKind))) return STATUS.CRYPTO;
  const parent: Parent = { key: found.key, ciphers };
  // Step 3.
  if (!mayCarry(parentKind, kind) || (parentKind === KIND.node && !isChild(message))) return STATUS.WRONG_PARENT;
  if (!fieldsFit(message, kind, parentKind, persistent.currency)) return STATUS.BAD_FIELD;
  // Steps 4 to 7.
  if (kind === KIND.node) {
    const status = loadNode(persistent, message, parent);
    return status === STATUS.DONE && parent.key === undefined ? confirm(persistent, message) : status;
  }
  if (parent.key === undefined) return loadPurchase(persistent, transient, message, kind, ciphers);
  return loadBelow(persistent, transient, message, kind, parent);
}

/** Steps 5 to 7 for a key in RAM. @returns the status word. */
function loadBelow(
  persistent: PersistentState,
  transient: TransientState,
  message: Uint8Array,
  kind: KeyKind,
  { key: parent, ciphers }: Parent,
): number {
  if (parent === undefined || parent.kind === KIND.node || 'tariff' in parent) return STATUS.WRONG_PARENT;
  // Step 5.
  const from = Math.max(readUint(message, 12, 4), parent.from);
  const to = Math.min(readUint(message, 16, 4), parent.to);
  if (from >= to) return STATUS.OUTSIDE_VALIDITY;
  // Steps 6 and 7.
  const service = readUint(message, 4, 4);
  const id = readUint(message, 8, 4);
  const key = ciphers.encryption.decrypt(message.subarray(32, BODY_AT));
  const base = {
    service,
    id,
    from,
    to,
    parentKind: message[24]!,
    ciphers: contentCiphers(deriveWorkingKeys(kind, service, id, key)),
    purchase: 'purchase' in parent ? parent.purchase : parent,
  };
  if (isContentKind(kind)) {
    const content = readContent(base, message.subarray(BODY_AT), kind, parent);
    return storeContent(persistent, transient, content, message.subarray(BODY_AT));
  }
  storeSegment(transient, { ...base, kind: KIND.segment });
  return STATUS.DONE;
}

function isFramed(message: Uint8Array, kind: KeyKind, parentKind: number): boolean {
  return (
    message[1] === MESSAGE_VERSION &&
    readUint(message, 2, 2) === message.length &&
    message.length === keyMessageLength(kind, parentKind)
  );
}

/** The working keys of a parent, if it has any with this message. */
function ciphersOf(persistent: PersistentState, message: Uint8Array, parent: FoundParent): ContentCiphers | undefined {
  if ('ciphers' in parent) return parent.ciphers;
  return persistent.keyPairs.ciphers(parent.half, message, tagLength(message[24]!));
}

/** The table of 4.1. */
function mayCarry(parentKind: number, kind: number): boolean {
  switch (parentKind) {
    case KIND.unique:
      return !isContentKind(kind);
    case KIND.cardPair:
      return !isContentKind(kind) && kind !== KIND.seeds;
    case KIND.service:
    case KIND.servicePair:
      return kind === KIND.segment || isContentKind(kind);
    case KIND.segment:
    case KIND.slot:
      return isContentKind(kind);
    case KIND.node:
      return kind === KIND.node;
    default:
      return false;
  }
}

/** Whether the wrapping node is a child of the node inside. */
function isChild(message: Uint8Array): boolean {
  return parentNode(readUint(message, 28, 4)) === readUint(message, 8, 4);
}

/** @param currency of the card. */
function fieldsFit(message: Uint8Array, kind: KeyKind, parentKind: number, currency: number): boolean {
  const flags = message[25]!;
  const flagsFit = kind === KIND.seeds ? flags < 16 && (flags & 3) <= flags >> 2 : flags === 0;
  if (!flagsFit || message[26] !== 0 || message[27] !== 0) return false;
  if (readUint(message, 4, 4) === 0 || readUint(message, 12, 4) >= readUint(message, 16, 4)) return false;
  if (kind === KIND.node) return readUint(message, 8, 4) !== 0;
  if (isPersonal(parentKind)) {
    if (kind === KIND.seeds && !labelsFit(message.subarray(LABELS_AT, SEED_CEILINGS_AT))) return false;
    const ceilings = message.subarray(ceilingsAt(kind));
    const quantum = readUint(ceilings, 18, 6);
    const asked = readUint(ceilings, 24, 2);
    const currencyFits = asked === 0 || asked === currency;
    return quantum >= 1 && quantum <= Number(MOST_MONEY) && currencyFits && isZero(ceilings, 26, 6);
  }
  if (readUint(message, 20, 4) !== 0) return false;
  if (!isContentKind(kind)) return true;
  const tariff = message[BODY_AT]!;
  return (
    tariff <= TARIFF.flat &&
    message[BODY_AT + 2]! <= 3 &&
    message[BODY_AT + 3] === SUITE &&
    (tariff !== TARIFF.free || isZero(message, BODY_AT + 4, 4)) &&
    (parentKind === KIND.slot || isZero(message, BODY_AT + 12, 4)) &&
    isZero(message, BODY_AT + 36, 12)
  );
}

function labelsFit(labels: Uint8Array): boolean {
  for (let at = 0; at < labels.length; at += 4) {
    const level = labels[at]!;
    const most = level === NO_LEVEL ? 1 : level > SLOT_DEPTH ? 0 : 2 ** level;
    if (readUint(labels, at + 1, 3) >= most) return false;
  }
  return true;
}

function isZero(octets: Uint8Array, at: number, length: number): boolean {
  return octets.subarray(at, at + length).every((octet) => octet === 0);
}

function storeSegment(transient: TransientState, key: SegmentKey): void {
  const { segments } = transient;
  let place = placeOf(segments, key.kind, key.service, key.id);
  if (place < 0) place = segments.indexOf(undefined);
  if (place < 0) {
    place = 0;
    segments.forEach((held, index) => {
      if (held!.to < segments[place]!.to) place = index;
    });
  }
  const before = segments[place];
  segments[place] = key;
  if (before !== undefined) dropBelow(transient, before);
}

function readContent(
  base: Pick<ContentKey, 'parentKind' | 'service' | 'id' | 'from' | 'to' | 'ciphers' | 'purchase'>,
  body: Uint8Array,
  kind: ContentKey['kind'],
  parent: Purchase | SegmentKey,
): ContentKey {
  return {
    ...base,
    kind,
    parent,
    tariff: body[0]!,
    price: readUint(body, 4, 4),
    segment: readUint(body, 8, 4),
    firstSsrc: readUint(body, 16, 4),
    secondSsrc: readUint(body, 20, 4),
  };
}

/** Steps 6 and 7 for a content key. */
function storeContent(
  persistent: PersistentState,
  transient: TransientState,
  key: ContentKey,
  body: Uint8Array,
): number {
  const mayBeBlind = key.tariff === TARIFF.free || key.tariff === TARIFF.flat;
  if (key.kind === KIND.blind && !mayBeBlind) return STATUS.BLIND_MISMATCH;
  const classBit = persistent.moduleClass === 1 ? 1 : 2;
  if ((body[2]! & classBit) === 0) return STATUS.CLASS_REFUSED;
  if (!allowsRating(persistent, transient, body[1]!)) return STATUS.ABOVE_RATING;
  if (key.price > (limitsOf(key.purchase).prices[key.tariff - 1] ?? 0)) return STATUS.ABOVE_CEILING;
  const { contents, session, highestMediaTime } = transient;
  let place = placeOf(contents, key.kind, key.service, key.id);
  if (place < 0) place = contents.indexOf(undefined);
  if (place < 0) place = contents.findIndex((held) => held!.to <= highestMediaTime);
  if (place < 0) place = contents.findIndex((held) => held!.service !== session?.service);
  if (place < 0) return STATUS.NO_ROOM;
  contents[place] = key;
  return STATUS.DONE;
}
