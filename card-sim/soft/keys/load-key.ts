import { MAX_MONEY } from '../../../apdu/layout/max-money.ts';
import { type ContentCiphers, contentCiphers } from '../../../apdu/decode-module/packets/card-part.ts';
import { isKeyKind, keyBodyAt, keyMessageLength, tagLength } from '../../../apdu/decode-module/keys/key-message.ts';
import { deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import { parentNode } from '../../../apdu/decode-module/keys/key-tree.ts';
import { isPersonal, type KeyKind, KIND, MESSAGE_VERSION } from '../../../apdu/decode-module/kinds.ts';
import { SLOT_DEPTH } from '../../../apdu/decode-module/keys/marks.ts';
import { TARIFF } from '../../../apdu/decode-module/money/tariff.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import type { Values } from '../../../apdu/layout/field-table.ts';
import { MODULE_CLASS } from '../../../apdu/layout/card.ts';
import {
  CEILINGS,
  CONTENT_TERMS,
  KEY_MESSAGE_HEADER,
  NO_LEVEL,
  SEED_LABEL,
  SEED_MESSAGE,
  SEEDS_OF_PART,
} from '../../../apdu/layout/keys.ts';
import { CLASS_BIT, SUITE } from '../../../apdu/decode-module/keys/content-terms.ts';
import { type ContentKey, limitsOf, priceCeiling, type Purchase, type SegmentKey } from './keys.ts';
import { dropBelow, placeOf } from './key-places.ts';
import { findParent, type FoundParent, isContentKind, type Parent } from './parents.ts';
import { allowsRating } from '../holder-pin.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import { ceilingsAt, confirm, loadPurchase } from './purchases.ts';
import { tagFits } from '../tag.ts';
import type { TransientState } from '../memory/transient-state.ts';
import { loadNode } from './tree-nodes.ts';

const KEY = KEY_MESSAGE_HEADER;
/** A tree node under another: the shortest of all. */
const MIN_LENGTH = keyMessageLength(KIND.node, KIND.node);
const CONTENT_LENGTH = keyMessageLength(KIND.content, KIND.slot);
const TERMS_AT = keyBodyAt(KIND.content);

type Terms = Values<typeof CONTENT_TERMS>;

/** LOAD KEY; `firmware-notes/protocol.md` 4.4. @returns the confirm, or the status word. */
export function loadKey(
  persistent: PersistentState,
  transient: TransientState,
  message: Uint8Array,
): Uint8Array | number {
  // Step 1.
  if (message.length < MIN_LENGTH) return STATUS.CRYPTO;
  const kind = KEY.readUint(message, 'kind');
  const parentKind = KEY.readUint(message, 'parentKind');
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
  const from = Math.max(KEY.readUint(message, 'from'), parent.from);
  const to = Math.min(KEY.readUint(message, 'to'), parent.to);
  if (from >= to) return STATUS.OUTSIDE_VALIDITY;
  // Steps 6 and 7.
  const service = KEY.readUint(message, 'service');
  const id = KEY.readUint(message, 'keyId');
  const key = ciphers.encryption.decrypt(message.subarray(KEY.length, keyBodyAt(kind)));
  const base = {
    service,
    id,
    from,
    to,
    parentKind: KEY.readUint(message, 'parentKind'),
    ciphers: contentCiphers(deriveWorkingKeys(kind, service, id, key)),
    purchase: 'purchase' in parent ? parent.purchase : parent,
  };
  if (isContentKind(kind)) {
    const terms = CONTENT_TERMS.read(message, TERMS_AT);
    return storeContent(persistent, transient, contentKeyOf(base, terms, kind, parent), terms);
  }
  storeSegment(transient, { ...base, kind: KIND.segment });
  return STATUS.DONE;
}

function isFramed(message: Uint8Array, kind: KeyKind, parentKind: number): boolean {
  return (
    KEY.readUint(message, 'version') === MESSAGE_VERSION &&
    KEY.readUint(message, 'length') === message.length &&
    message.length === keyMessageLength(kind, parentKind)
  );
}

/** The working keys of a parent, if it has any with this message. */
function ciphersOf(persistent: PersistentState, message: Uint8Array, parent: FoundParent): ContentCiphers | undefined {
  if ('ciphers' in parent) return parent.ciphers;
  return persistent.keyPairs.ciphers(parent.half, message, tagLength(KEY.readUint(message, 'parentKind')));
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
  return parentNode(KEY.readUint(message, 'parentId')) === KEY.readUint(message, 'keyId');
}

/** @param currency of the card. */
function fieldsFit(message: Uint8Array, kind: KeyKind, parentKind: number, currency: number): boolean {
  const flags = KEY.readUint(message, 'flags');
  const flagsFit = kind === KIND.seeds ? flags < 16 && (flags & 3) <= flags >> 2 : flags === 0;
  if (!flagsFit || !KEY.isReservedZero(message)) return false;
  if (KEY.readUint(message, 'service') === 0) return false;
  if (KEY.readUint(message, 'from') >= KEY.readUint(message, 'to')) return false;
  if (kind === KIND.node) return KEY.readUint(message, 'keyId') !== 0;
  if (isPersonal(parentKind)) {
    return (kind !== KIND.seeds || labelsFit(message)) && ceilingsFit(message, ceilingsAt(kind), currency);
  }
  if (KEY.readUint(message, 'number') !== 0) return false;
  return !isContentKind(kind) || termsFit(message, parentKind);
}

function ceilingsFit(message: Uint8Array, at: number, currency: number): boolean {
  const quantum = CEILINGS.readUint(message, 'quantum', at);
  const asked = CEILINGS.readUint(message, 'currency', at);
  const currencyFits = asked === 0 || asked === currency;
  return quantum >= 1 && quantum <= Number(MAX_MONEY) && currencyFits && CEILINGS.isReservedZero(message, at);
}

function termsFit(message: Uint8Array, parentKind: number): boolean {
  const read = (field: keyof typeof CONTENT_TERMS.at) => CONTENT_TERMS.readUint(message, field, TERMS_AT);
  const tariff = read('tariff');
  return (
    tariff <= TARIFF.flat &&
    read('classes') <= (CLASS_BIT.card | CLASS_BIT.soft) &&
    read('suite') === SUITE &&
    (tariff !== TARIFF.free || read('price') === 0) &&
    (parentKind === KIND.slot || read('epoch') === 0) &&
    CONTENT_TERMS.isReservedZero(message, TERMS_AT)
  );
}

function labelsFit(message: Uint8Array): boolean {
  for (let i = 0; i < SEEDS_OF_PART; i++) {
    const { level, index } = SEED_LABEL.read(message, SEED_MESSAGE.at.labels + i * SEED_LABEL.length);
    const end = level === NO_LEVEL ? 1 : level > SLOT_DEPTH ? 0 : 2 ** level;
    if (index >= end) return false;
  }
  return true;
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

function contentKeyOf(
  base: Pick<ContentKey, 'parentKind' | 'service' | 'id' | 'from' | 'to' | 'ciphers' | 'purchase'>,
  { tariff, price, segmentId, firstSsrc, secondSsrc }: Terms,
  kind: ContentKey['kind'],
  parent: Purchase | SegmentKey,
): ContentKey {
  return { ...base, kind, parent, tariff, price: Number(price), segment: segmentId, firstSsrc, secondSsrc };
}

/** Steps 6 and 7 for a content key. */
function storeContent(
  persistent: PersistentState,
  transient: TransientState,
  key: ContentKey,
  { classes, rating }: Terms,
): number {
  const mayBeBlind = key.tariff === TARIFF.free || key.tariff === TARIFF.flat;
  if (key.kind === KIND.blind && !mayBeBlind) return STATUS.BLIND_MISMATCH;
  const classBit = persistent.moduleClass === MODULE_CLASS.card ? CLASS_BIT.card : CLASS_BIT.soft;
  if ((classes & classBit) === 0) return STATUS.CLASS_REFUSED;
  if (!allowsRating(persistent, transient, rating)) return STATUS.ABOVE_RATING;
  if (key.price > priceCeiling(limitsOf(key.purchase), key.tariff)) return STATUS.ABOVE_CEILING;
  const { contents, session, highestMediaTime } = transient;
  let place = placeOf(contents, key.kind, key.service, key.id);
  if (place < 0) place = contents.indexOf(undefined);
  if (place < 0) place = contents.findIndex((held) => held!.to <= highestMediaTime);
  if (place < 0) place = contents.findIndex((held) => held!.service !== session?.service);
  if (place < 0) return STATUS.NO_ROOM;
  contents[place] = key;
  return STATUS.DONE;
}
