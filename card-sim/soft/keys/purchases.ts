import { keyBodyAt } from '../../../apdu/decode-module/keys/key-message.ts';
import { isPrivateHalf } from '../../../apdu/decode-module/keys/p256.ts';
import { type KeyKind, KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import type { ContentCiphers } from '../../../apdu/decode-module/packets/card-part.ts';
import { signConfirm } from '../../../apdu/decode-module/requests/confirm.ts';
import { signLeaveRecord } from '../../../apdu/decode-module/requests/leave-record.ts';
import { KEY_MESSAGE_HEADER as KEY, SEED_MESSAGE } from '../../../apdu/layout/keys.ts';
import { LEAVE_DATA } from '../../../apdu/layout/requests.ts';
import { equalTags } from '../../../apdu/octets.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import type { TransientState } from '../memory/transient-state.ts';
import { refuse } from '../refusal.ts';
import type { KeyMemory } from './key-memory.ts';
import { dropBelow, moveBelow, shortenBelow } from './key-places.ts';
import { CEILINGS_LENGTH, FIRST_SEEDS, isExtension, KEY_PURCHASES, type NewPurchase, type Purchase } from './keys.ts';
import { ceilingsAt } from './message-fields.ts';

/** The confirm that answers a message under the unique key or the card's own pair (protocol 4.5). */
export function signConfirmOf({ cardId, keys }: PersistentState, message: Uint8Array): Uint8Array {
  return signConfirm(cardId, message, keys.uplink);
}

/**
 * Loads a purchase (protocol 4.4 steps 4 and 7).
 * @param parent working keys of the unique key, or those agreed on with the card's own pair.
 * @throws Refusal
 */
export function loadPurchase(
  { keyMemory }: PersistentState,
  transient: TransientState,
  message: Uint8Array,
  kind: KeyKind,
  parent: ContentCiphers,
): void {
  if (!isPurchaseKind(kind)) refuse(STATUS.WRONG_PARENT);
  const isSeeds = kind === KIND.seeds;
  const { purchase, part } = readPurchase(message, kind);
  let place = keyMemory.purchases.findIndex(
    (held) => held?.kind === kind && held.service === purchase.service && held.id === purchase.id,
  );
  const held = keyMemory.purchases[place];
  const isSame = held !== undefined && hasSameTerms(held, purchase);
  // Step 4.
  if (keyMemory.window.refuses(KEY.readUint(message, 'number'))) {
    if (isSame && (!isSeeds || keyMemory.hasPart(place, part))) return;
    refuse(STATUS.OLD_NUMBER);
  }
  if (held !== undefined && !isSame) {
    if (purchase.number < held.number) refuse(STATUS.OLD_NUMBER);
    if (isSeeds) refuse(STATUS.BAD_FIELD);
  }
  // Step 7.
  if (place < 0) place = freePlace(keyMemory, kind);
  if (place < 0) refuse(STATUS.NO_ROOM);
  const keys = parent.encryption.decrypt(message.subarray(KEY.length, keyBodyAt(kind)));
  if (kind === KIND.servicePair && !isPrivateHalf(keys)) refuse(STATUS.BAD_FIELD);
  if (isSeeds) {
    keyMemory.writePart(place, purchase, part, SEED_MESSAGE.view(message, 'labels'), keys);
    return;
  }
  const before = keyMemory.writePurchase(place, purchase, keys);
  if (before === undefined) return;
  const now = keyMemory.purchases[place]!;
  if (hasSameKey(before, now) && isExtension(now, before)) moveBelow(transient, before, now);
  else dropBelow(transient, before);
}

function hasSameKey(a: Purchase, b: Purchase): boolean {
  return 'key' in a && 'key' in b && equalTags(a.key, b.key);
}

function isPurchaseKind(kind: KeyKind): kind is Purchase['kind'] {
  return kind === KIND.service || kind === KIND.segment || kind === KIND.servicePair || kind === KIND.seeds;
}

/** Reads the purchase of a message; `part` is that of seeds, else 0. */
function readPurchase(message: Uint8Array, kind: Purchase['kind']): { purchase: NewPurchase; part: number } {
  const flags = KEY.readUint(message, 'flags');
  const part = flags & 3;
  const at = ceilingsAt(kind);
  const purchase = {
    kind,
    parentKind: KEY.readUint(message, 'parentKind'),
    service: KEY.readUint(message, 'service'),
    id: KEY.readUint(message, 'keyId'),
    from: KEY.readUint(message, 'from'),
    to: KEY.readUint(message, 'to'),
    number: (KEY.readUint(message, 'number') - part) >>> 0,
    lastPart: flags >> 2,
    ceilings: message.slice(at, at + CEILINGS_LENGTH),
  };
  return { purchase, part };
}

/** The first free place for a purchase of this kind, -1 when there is none. */
function freePlace({ purchases }: KeyMemory, kind: Purchase['kind']): number {
  if (kind === KIND.seeds) return purchases.indexOf(undefined, FIRST_SEEDS);
  const isPair = kind === KIND.servicePair;
  return purchases.slice(0, isPair ? FIRST_SEEDS : KEY_PURCHASES).indexOf(undefined, isPair ? KEY_PURCHASES : 0);
}

/** Whether a message is one of those that made this purchase. A leave since then has changed its end. */
function hasSameTerms(held: Purchase, { from, to, number, lastPart, ceilings }: NewPurchase): boolean {
  return (
    held.from === from &&
    held.to === to &&
    held.number === number &&
    held.lastPart === lastPart &&
    equalTags(held.ceilings, ceilings)
  );
}

/** LEAVE (protocol 4.5). @param data service u32, key id u32, to u32. @returns the leave record. @throws Refusal */
export function leave(persistent: PersistentState, transient: TransientState, data: Uint8Array): Uint8Array {
  const { keyMemory, cardId, keys } = persistent;
  const { service, keyId, to: wanted } = LEAVE_DATA.read(data);
  const place = keyMemory.purchases.findIndex((held) => held?.service === service && held.id === keyId);
  const purchase = keyMemory.purchases[place];
  if (purchase === undefined) refuse(STATUS.UNKNOWN_KEY);
  const to = Math.max(wanted, purchase.from);
  if (to > purchase.to) refuse(STATUS.BAD_FIELD);
  keyMemory.lowerEnd(place, to);
  shortenBelow(transient, purchase);
  return signLeaveRecord({ cardId, service, keyId, number: purchase.number, to }, keys.uplink);
}
