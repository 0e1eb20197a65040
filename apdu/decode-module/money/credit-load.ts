import type { Values } from '../../layout/field-table.ts';
import { MESSAGE_FRAME } from '../../layout/message-frame.ts';
import { LOAD_ORDER, LOAD_REQUEST } from '../../layout/money.ts';
import { AesCbc } from '../keys/aes-cbc.ts';
import { KIND } from '../kinds.ts';
import { openMessage, parseMessage, sealMessage, signMessage } from '../signed-message.ts';

/** What a card says of itself when credit is to be loaded; `firmware-notes/protocol.md` 7.4. Amounts in micro-units. */
export interface LoadRequest extends Values<typeof LOAD_REQUEST> {}

/**
 * What the issuer orders. A load proof says with the same fields that the card carried it out. An order that sets the
 * credit limit is laid out, numbered and proved alike.
 */
export interface LoadOrder extends Values<typeof LOAD_ORDER> {}

/** Makes a load request. @param mac of the load-out key. */
export function signLoadRequest(request: LoadRequest, mac: AesCbc): Uint8Array {
  return sealMessage(LOAD_REQUEST, KIND.loadRequest, request, mac);
}

/**
 * Reads a load request without asking who made it.
 * @throws FormatError when it is not a load request.
 */
export function parseLoadRequest(octets: Uint8Array): LoadRequest {
  return parseMessage(LOAD_REQUEST, KIND.loadRequest, octets);
}

/**
 * Reads a load request of a card whose key is known.
 * @param loadOutKey of the card, 16 octets.
 * @throws FormatError when it is not a load request, ForgedError when its tag is wrong.
 */
export function openLoadRequest(octets: Uint8Array, loadOutKey: Uint8Array): LoadRequest {
  return openMessage(LOAD_REQUEST, KIND.loadRequest, octets, loadOutKey);
}

/**
 * Makes an order that loads credit.
 * @param loadInKey of the card, 16 octets.
 * @throws OutOfRangeError when a field does not fit.
 */
export function signLoadOrder(order: LoadOrder, loadInKey: Uint8Array): Uint8Array {
  return sealMessage(LOAD_ORDER, KIND.loadOrder, order, new AesCbc(loadInKey));
}

/**
 * Makes an order that sets the credit limit.
 * @param order its amount is the new limit; with the maximum balance at most 2^39 - 1.
 * @param loadInKey of the card, 16 octets.
 * @throws OutOfRangeError when a field does not fit.
 */
export function signCreditLimit(order: LoadOrder, loadInKey: Uint8Array): Uint8Array {
  return sealMessage(LOAD_ORDER, KIND.creditLimit, order, new AesCbc(loadInKey));
}

/**
 * Makes the proof of an order: its own fields under the card's key.
 * @param order of either kind, 64 octets.
 * @param mac of the load-out key.
 */
export function signLoadProof(order: Uint8Array, mac: AesCbc): Uint8Array {
  const setsLimit = MESSAGE_FRAME.readUint(order, 'kind') === KIND.creditLimit;
  return signMessage(order.slice(), setsLimit ? KIND.creditLimitProof : KIND.loadProof, mac);
}

/**
 * Reads the proof that credit was loaded.
 * @param loadOutKey of the card, 16 octets.
 * @throws FormatError when it is not such a proof, ForgedError when its tag is wrong.
 */
export function openLoadProof(octets: Uint8Array, loadOutKey: Uint8Array): LoadOrder {
  return openMessage(LOAD_ORDER, KIND.loadProof, octets, loadOutKey);
}

/**
 * Reads the proof that the credit limit was set.
 * @param loadOutKey of the card, 16 octets.
 * @throws FormatError when it is not such a proof, ForgedError when its tag is wrong.
 */
export function openCreditLimitProof(octets: Uint8Array, loadOutKey: Uint8Array): LoadOrder {
  return openMessage(LOAD_ORDER, KIND.creditLimitProof, octets, loadOutKey);
}
