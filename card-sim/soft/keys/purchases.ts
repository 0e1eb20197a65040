import type { ContentCiphers } from '../../../apdu/decode-module/packets/card-part.ts';
import { signConfirm } from '../../../apdu/decode-module/requests/confirm.ts';
import { type KeyKind, KIND } from '../../../apdu/decode-module/kinds.ts';
import { signLeaveRecord } from '../../../apdu/decode-module/requests/leave-record.ts';
import { isPrivateHalf } from '../../../apdu/decode-module/keys/p256.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { readUint } from '../../../apdu/octets.ts';
import { dropBelow, shortenBelow } from './key-places.ts';
import { CEILINGS_LENGTH, FIRST_SEEDS, KEY_PURCHASES, type NewPurchase, type Purchase } from './keys.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import type { TransientState } from '../memory/transient-state.ts';

const KEYS_AT = 32;
const BODY_AT = 48;
const LABELS_AT = 160;
export const SEED_CEILINGS_AT = 192;
/** A private half is two blocks. */
const PAIR_CEILINGS_AT = 64;

/** Where the ceilings of a purchase stand in its message. */
export function ceilingsAt(kind: number): number {
  if (kind === KIND.servicePair) return PAIR_CEILINGS_AT;
  return kind === KIND.seeds ? SEED_CEILINGS_AT : BODY_AT;
}

/** Steps 4 and 7 for a message under the card's own key or pair that is not of a tree. @returns the confirm, or a status word. */
export function loadPurchase(
  persistent: PersistentState,
  transient: TransientState,
  message: Uint8Array,
  kind: KeyKind,
  parent: ContentCiphers,
): Uint8Array | number {
  switch (kind) {
    case KIND.service:
    case KIND.segment:
    case KIND.servicePair:
    case KIND.seeds:
      break;
    default:
      return STATUS.WRONG_PARENT;
  }
  const status = storePurchase(persistent, transient, message, kind, parent);
  return status === STATUS.DONE ? confirm(persistent, message) : status;
}

export function confirm(persistent: PersistentState, message: Uint8Array): Uint8Array {
  return signConfirm(persistent.cardId, message, persistent.keys.uplink);
}

function storePurchase(
  persistent: PersistentState,
  transient: TransientState,
  message: Uint8Array,
  kind: Purchase['kind'],
  parent: ContentCiphers,
): number {
  const { keyMemory } = persistent;
  const seeds = kind === KIND.seeds;
  const part = message[25]! & 3;
  const at = ceilingsAt(kind);
  const purchase: NewPurchase = {
    kind,
    parentKind: message[24]!,
    service: readUint(message, 4, 4),
    id: readUint(message, 8, 4),
    from: readUint(message, 12, 4),
    to: readUint(message, 16, 4),
    number: (readUint(message, 20, 4) - part) >>> 0,
    lastPart: message[25]! >> 2,
    ceilings: message.slice(at, at + CEILINGS_LENGTH),
  };
  let place = keyMemory.purchases.findIndex(
    (held) => held?.kind === kind && held.service === purchase.service && held.id === purchase.id,
  );
  const held = keyMemory.purchases[place];
  const same = held !== undefined && isSame(held, purchase);
  // Step 4.
  if (keyMemory.window.refuses(readUint(message, 20, 4))) {
    return same && (!seeds || keyMemory.hasPart(place, part)) ? STATUS.DONE : STATUS.OLD_NUMBER;
  }
  if (held !== undefined && !same) {
    if (purchase.number < held.number) return STATUS.OLD_NUMBER;
    if (seeds) return STATUS.BAD_FIELD;
  }
  // Step 7.
  if (place < 0) place = freePlace(keyMemory.purchases, kind);
  if (place < 0) return STATUS.NO_ROOM;
  const keys = parent.encryption.decrypt(message.subarray(KEYS_AT, seeds ? LABELS_AT : at));
  if (kind === KIND.servicePair && !isPrivateHalf(keys)) return STATUS.BAD_FIELD;
  if (seeds) {
    keyMemory.writePart(place, purchase, part, message.subarray(LABELS_AT, SEED_CEILINGS_AT), keys);
    return STATUS.DONE;
  }
  const before = keyMemory.writePurchase(place, purchase, keys);
  if (before !== undefined) dropBelow(transient, before);
  return STATUS.DONE;
}

function freePlace(purchases: readonly (Purchase | undefined)[], kind: Purchase['kind']): number {
  if (kind === KIND.seeds) return purchases.indexOf(undefined, FIRST_SEEDS);
  const pair = kind === KIND.servicePair;
  return purchases.slice(0, pair ? FIRST_SEEDS : KEY_PURCHASES).indexOf(undefined, pair ? KEY_PURCHASES : 0);
}

/** Whether a message with a purchase's name is one of those that made it, and no leave has come since. */
function isSame(held: Purchase, { from, to, number, lastPart, ceilings }: NewPurchase): boolean {
  return (
    held.from === from &&
    held.to === to &&
    held.number === number &&
    held.lastPart === lastPart &&
    held.ceilings.every((octet, index) => octet === ceilings[index])
  );
}

/** LEAVE; `firmware-notes/protocol.md` 4.5. @param data service u32, key id u32, to u32. */
export function leave(persistent: PersistentState, transient: TransientState, data: Uint8Array): Uint8Array | number {
  const { keyMemory } = persistent;
  const service = readUint(data, 0, 4);
  const keyId = readUint(data, 4, 4);
  const place = keyMemory.purchases.findIndex((held) => held?.service === service && held.id === keyId);
  const purchase = keyMemory.purchases[place];
  if (purchase === undefined) return STATUS.UNKNOWN_KEY;
  const to = Math.max(readUint(data, 8, 4), purchase.from);
  if (to > purchase.to) return STATUS.BAD_FIELD;
  keyMemory.lowerEnd(place, to);
  shortenBelow(transient, purchase);
  const { cardId, keys } = persistent;
  return signLeaveRecord({ cardId, service, keyId, number: purchase.number, to }, keys.uplink);
}
