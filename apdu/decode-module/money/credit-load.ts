import { OutOfRangeError } from '../../errors.ts';
import { readUint, writeUint } from '../../octets.ts';
import { AesCbc } from '../keys/aes-cbc.ts';
import { CARD_ID_LENGTH } from '../card-id.ts';
import { KIND } from '../kinds.ts';
import { readAmount, requireMessage, requireSigned, signMessage, writeAmount } from '../requests/signed-message.ts';

/** S1: what a card says of itself when credit is to be loaded; `firmware-notes/protocol.md` 7.4. Amounts in micro-units. */
export interface LoadRequest {
  /** 8 octets. */
  readonly cardId: Uint8Array;
  /** Number of the last load, u32. */
  readonly number: number;
  /** ISO 4217 number. */
  readonly currency: number;
  readonly loaded: bigint;
  readonly spent: bigint;
  readonly torn: bigint;
  /** Taken for a session that is open now. */
  readonly taken: bigint;
  /** 8 octets; zeros when there was no load yet. */
  readonly lastLoadId: Uint8Array;
  readonly lastAmount: bigint;
  readonly receiptsWritten: number;
}

/**
 * S2, what the issuer orders; S3 proves with the same fields that the card carried it out. An order that sets the credit limit is laid
 * out, numbered and proved alike.
 */
export interface LoadOrder {
  /** 8 octets. */
  readonly cardId: Uint8Array;
  /** One more than the request's, u32. The issuer signs no two orders for one number. */
  readonly number: number;
  readonly currency: number;
  /** To be loaded; or the new credit limit. */
  readonly amount: bigint;
  /** 8 octets of the issuer's choice, never used twice. */
  readonly loadId: Uint8Array;
}

const LOAD_REQUEST_LENGTH = 80;
export const LOAD_ORDER_LENGTH = 64;
export const LOAD_ID_LENGTH = 8;

/** S1. @param mac of the load-out key. */
export function signLoadRequest(request: LoadRequest, mac: AesCbc): Uint8Array {
  const octets = new Uint8Array(LOAD_REQUEST_LENGTH);
  octets.set(request.cardId, 4);
  writeUint(octets, 12, 4, request.number);
  writeUint(octets, 16, 2, request.currency);
  writeAmount(octets, 20, request.loaded, 'loaded');
  writeAmount(octets, 26, request.spent, 'spent');
  writeAmount(octets, 32, request.torn, 'torn');
  writeAmount(octets, 38, request.taken, 'taken');
  octets.set(request.lastLoadId, 44);
  writeAmount(octets, 52, request.lastAmount, 'last amount');
  writeUint(octets, 60, 4, request.receiptsWritten);
  return signMessage(octets, KIND.loadRequest, mac);
}

/**
 * Reads S1 without asking who made it.
 * @throws FormatError when it is none.
 */
export function parseLoadRequest(octets: Uint8Array): LoadRequest {
  requireMessage(octets, KIND.loadRequest, LOAD_REQUEST_LENGTH, 'load request (S1)');
  return {
    cardId: octets.slice(4, 12),
    number: readUint(octets, 12, 4),
    currency: readUint(octets, 16, 2),
    loaded: readAmount(octets, 20),
    spent: readAmount(octets, 26),
    torn: readAmount(octets, 32),
    taken: readAmount(octets, 38),
    lastLoadId: octets.slice(44, 52),
    lastAmount: readAmount(octets, 52),
    receiptsWritten: readUint(octets, 60, 4),
  };
}

/**
 * Reads S1 of a card whose key is known.
 * @param loadOutKey of the card, 16 octets.
 * @throws FormatError when it is none, ForgedError when its tag is wrong.
 */
export function openLoadRequest(octets: Uint8Array, loadOutKey: Uint8Array): LoadRequest {
  requireSigned(octets, KIND.loadRequest, LOAD_REQUEST_LENGTH, loadOutKey, 'load request (S1)');
  return parseLoadRequest(octets);
}

/**
 * S2.
 * @param loadInKey of the card, 16 octets.
 * @throws OutOfRangeError when a field does not fit.
 */
export function signLoadOrder(order: LoadOrder, loadInKey: Uint8Array): Uint8Array {
  return signOrder(order, KIND.loadOrder, loadInKey);
}

/**
 * An order that sets the credit limit.
 * @param order its amount is the new limit; with the maximum balance at most 2^39 - 1.
 * @param loadInKey of the card, 16 octets.
 * @throws OutOfRangeError when a field does not fit.
 */
export function signCreditLimit(order: LoadOrder, loadInKey: Uint8Array): Uint8Array {
  return signOrder(order, KIND.creditLimit, loadInKey);
}

function signOrder(order: LoadOrder, kind: number, loadInKey: Uint8Array): Uint8Array {
  if (order.cardId.length !== CARD_ID_LENGTH || order.loadId.length !== LOAD_ID_LENGTH) {
    throw new OutOfRangeError('a card id and a load id have 8 octets each');
  }
  const octets = new Uint8Array(LOAD_ORDER_LENGTH);
  octets.set(order.cardId, 4);
  writeUint(octets, 12, 4, order.number);
  writeUint(octets, 16, 2, order.currency);
  writeAmount(octets, 20, order.amount, 'amount');
  octets.set(order.loadId, 26);
  return signMessage(octets, kind, new AesCbc(loadInKey));
}

/** S3: the fields of S2 or of a credit limit under the card's own key. @param mac of the load-out key. */
export function signLoadProof(order: Uint8Array, mac: AesCbc): Uint8Array {
  const kind = order[0] === KIND.creditLimit ? KIND.creditLimitProof : KIND.loadProof;
  return signMessage(order.slice(), kind, mac);
}

/**
 * Reads S3.
 * @param loadOutKey of the card, 16 octets.
 * @throws FormatError when it is none, ForgedError when its tag is wrong.
 */
export function openLoadProof(octets: Uint8Array, loadOutKey: Uint8Array): LoadOrder {
  return openProof(octets, KIND.loadProof, loadOutKey, 'load proof (S3)');
}

/** The same of a credit limit. */
export function openCreditLimitProof(octets: Uint8Array, loadOutKey: Uint8Array): LoadOrder {
  return openProof(octets, KIND.creditLimitProof, loadOutKey, 'proof of a credit limit');
}

function openProof(octets: Uint8Array, kind: number, loadOutKey: Uint8Array, what: string): LoadOrder {
  requireSigned(octets, kind, LOAD_ORDER_LENGTH, loadOutKey, what);
  return {
    cardId: octets.slice(4, 12),
    number: readUint(octets, 12, 4),
    currency: readUint(octets, 16, 2),
    amount: readAmount(octets, 20),
    loadId: octets.slice(26, 34),
  };
}
