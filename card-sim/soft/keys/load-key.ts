import { isKeyKind, keyBodyAt, keyMessageLength, tagLength } from '../../../apdu/decode-module/keys/key-message.ts';
import { parentNode } from '../../../apdu/decode-module/keys/key-tree.ts';
import { type KeyKind, KIND, MESSAGE_VERSION } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { type ContentCiphers, makeContentCiphers } from '../../../apdu/decode-module/packets/card-part.ts';
import { deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import { CONTENT_TERMS, KEY_MESSAGE_HEADER as KEY } from '../../../apdu/layout/keys.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import type { TransientState } from '../memory/transient-state.ts';
import { refuse } from '../refusal.ts';
import { isTagRight } from '../tag.ts';
import { hasRightFields, TERMS_AT } from './message-fields.ts';
import { findParent, type FoundParent, isContentKind, type Parent } from './parents.ts';
import { loadPurchase, signConfirmOf } from './purchases.ts';
import { storeContent, storeSegment } from './ram-keys.ts';
import { loadNode } from './tree-nodes.ts';

/** A tree node under another is the shortest message of all. */
const MIN_LENGTH = keyMessageLength(KIND.node, KIND.node);
const MIN_CONTENT_LENGTH = keyMessageLength(KIND.content, KIND.slot);

/**
 * LOAD KEY (protocol 4.4).
 * @param message as it came, of any length.
 * @returns the confirm of a message under the unique key or the card's own pair, else nothing.
 * @throws Refusal
 */
export function loadKey(
  persistent: PersistentState,
  transient: TransientState,
  message: Uint8Array,
): Uint8Array | undefined {
  // Step 1.
  if (message.length < MIN_LENGTH) refuse(STATUS.CRYPTO);
  const kind = KEY.readUint(message, 'kind');
  const parentKind = KEY.readUint(message, 'parentKind');
  if (parentKind === KIND.slot && isContentKind(kind) && message.length < MIN_CONTENT_LENGTH) refuse(STATUS.CRYPTO);
  const found = findParent(persistent, transient, message);
  if (found === undefined) refuse(STATUS.UNKNOWN_KEY);
  // Step 2.
  if (!isKeyKind(kind) || !hasRightFrame(message, kind, parentKind)) refuse(STATUS.CRYPTO);
  const ciphers = ciphersOf(persistent, message, found);
  if (ciphers === undefined || !isTagRight(ciphers.mac, message, tagLength(parentKind))) refuse(STATUS.CRYPTO);
  const parent: Parent = { key: found.key, ciphers };
  // Step 3.
  if (!mayCarry(parentKind, kind) || (parentKind === KIND.node && !isChild(message))) refuse(STATUS.WRONG_PARENT);
  if (!hasRightFields(message, kind, parentKind, persistent.currency)) refuse(STATUS.BAD_FIELD);
  // Steps 4 to 7.
  if (kind === KIND.node) loadNode(persistent, message, parent);
  else if (parent.key === undefined) loadPurchase(persistent, transient, message, kind, ciphers);
  else loadBelow(persistent, transient, message, kind, parent);
  return parent.key === undefined ? signConfirmOf(persistent, message) : undefined;
}

/** Loads a key below a purchase, which goes into RAM (steps 5 to 7). */
function loadBelow(
  persistent: PersistentState,
  transient: TransientState,
  message: Uint8Array,
  kind: KeyKind,
  { key: parent, ciphers }: Parent,
): void {
  if (parent === undefined || parent.kind === KIND.node || 'tariff' in parent) refuse(STATUS.WRONG_PARENT);
  // Step 5.
  const from = Math.max(KEY.readUint(message, 'from'), parent.from);
  const to = Math.min(KEY.readUint(message, 'to'), parent.to);
  if (from >= to) refuse(STATUS.OUTSIDE_VALIDITY);
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
    key,
    ciphers: makeContentCiphers(deriveWorkingKeys(kind, service, id, key), transient.makeCipher),
    purchase: 'purchase' in parent ? parent.purchase : parent,
  };
  if (!isContentKind(kind)) {
    storeSegment(transient, { ...base, kind: KIND.segment });
    return;
  }
  const { tariff, price, segmentId, firstSsrc, secondSsrc, ...rest } = CONTENT_TERMS.read(message, TERMS_AT);
  const content = { ...base, kind, parent, tariff, price: Number(price), segment: segmentId, firstSsrc, secondSsrc };
  storeContent(persistent, transient, content, rest);
}

/** Whether version, length field and length are those of this kind under this parent (step 2). */
function hasRightFrame(message: Uint8Array, kind: KeyKind, parentKind: number): boolean {
  return (
    KEY.readUint(message, 'version') === MESSAGE_VERSION &&
    KEY.readUint(message, 'length') === message.length &&
    message.length === keyMessageLength(kind, parentKind)
  );
}

/** The working keys of a parent, if it has any with this message. */
function ciphersOf(persistent: PersistentState, message: Uint8Array, parent: FoundParent): ContentCiphers | undefined {
  if ('ciphers' in parent) return parent.ciphers;
  return persistent.keyPairs.agree(parent.privateHalf, message, tagLength(KEY.readUint(message, 'parentKind')));
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

/** Whether the wrapping node is a child of the node inside (4.7). */
function isChild(message: Uint8Array): boolean {
  return parentNode(KEY.readUint(message, 'parentId')) === KEY.readUint(message, 'keyId');
}
