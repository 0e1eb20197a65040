import type { ContentCiphers } from '../../../apdu/decode-module/packets/card-part.ts';
import { signConfirm } from '../../../apdu/decode-module/requests/confirm.ts';
import { type KeyKind, KIND } from '../../../apdu/decode-module/kinds.ts';
import { signLeaveRecord } from '../../../apdu/decode-module/requests/leave-record.ts';
import { isPrivateHalf } from '../../../apdu/decode-module/keys/p256.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { keyBodyAt } from '../../../apdu/decode-module/keys/key-message.ts';
import { KEY_MESSAGE_HEADER, SEED_MESSAGE } from '../../../apdu/layout/keys.ts';
import { LEAVE_DATA } from '../../../apdu/layout/requests.ts';
import { dropBelow, shortenBelow } from './key-places.ts';
import { CEILINGS_LENGTH, FIRST_SEEDS, KEY_PURCHASES, type NewPurchase, type Purchase } from './keys.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import type { TransientState } from '../memory/transient-state.ts';

const KEY = KEY_MESSAGE_HEADER;

/** Where the ceilings of a purchase stand in its message. */
export function ceilingsAt(kind: KeyKind): number {
  return kind === KIND.seeds ? SEED_MESSAGE.at.ceilings : keyBodyAt(kind);
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
  const flags = KEY.readUint(message, 'flags');
  const part = flags & 3;
  const at = ceilingsAt(kind);
  const purchase: NewPurchase = {
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
  let place = keyMemory.purchases.findIndex(
    (held) => held?.kind === kind && held.service === purchase.service && held.id === purchase.id,
  );
  const held = keyMemory.purchases[place];
  const same = held !== undefined && isSame(held, purchase);
  // Step 4.
  if (keyMemory.window.refuses(KEY.readUint(message, 'number'))) {
    return same && (!seeds || keyMemory.hasPart(place, part)) ? STATUS.DONE : STATUS.OLD_NUMBER;
  }
  if (held !== undefined && !same) {
    if (purchase.number < held.number) return STATUS.OLD_NUMBER;
    if (seeds) return STATUS.BAD_FIELD;
  }
  // Step 7.
  if (place < 0) place = freePlace(keyMemory.purchases, kind);
  if (place < 0) return STATUS.NO_ROOM;
  const keys = parent.encryption.decrypt(message.subarray(KEY.length, keyBodyAt(kind)));
  if (kind === KIND.servicePair && !isPrivateHalf(keys)) return STATUS.BAD_FIELD;
  if (seeds) {
    keyMemory.writePart(place, purchase, part, SEED_MESSAGE.view(message, 'labels'), keys);
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
  const { service, keyId, to: wanted } = LEAVE_DATA.read(data);
  const place = keyMemory.purchases.findIndex((held) => held?.service === service && held.id === keyId);
  const purchase = keyMemory.purchases[place];
  if (purchase === undefined) return STATUS.UNKNOWN_KEY;
  const to = Math.max(wanted, purchase.from);
  if (to > purchase.to) return STATUS.BAD_FIELD;
  keyMemory.lowerEnd(place, to);
  shortenBelow(transient, purchase);
  const { cardId, keys } = persistent;
  return signLeaveRecord({ cardId, service, keyId, number: purchase.number, to }, keys.uplink);
}
