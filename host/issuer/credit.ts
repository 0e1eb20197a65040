import { randomBytes } from 'node:crypto';
import { formatCardId } from '../../apdu/decode-module/card-id.ts';
import { deriveCardKey } from '../../apdu/decode-module/card-keys.ts';
import {
  LOAD_ID_LENGTH,
  type LoadRequest,
  openLoadProof,
  openLoadRequest,
  signLoadOrder,
} from '../../apdu/decode-module/credit-load.ts';
import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { equalTags } from '../../apdu/octets.ts';
import type { Accounts, PlacedOrder } from './accounts.ts';
import { findIssuedCard } from './issued-card.ts';
import { IssuerError } from './issuer-error.ts';
import type { KeyStore } from './key-store.ts';

/** What to load; amounts in micro-units. */
export interface LoadWish {
  /** 0 asks for the refund alone. */
  readonly amount: bigint;
  /** ISO 4217 number. */
  readonly currency: number;
  /** Most torn credit given back to one card in one calendar month (UTC). */
  readonly refundCap: bigint;
  /** How errors are to write amounts of this currency. */
  readonly format: (amount: bigint) => string;
}

export interface LoadResult {
  readonly cardId: Uint8Array;
  readonly amount: bigint;
  /** Torn credit given back with it. */
  readonly refund: bigint;
  /** Loaded - spent after it. */
  readonly balance: bigint;
  /** Whether the order had been signed by an earlier attempt, whose answer was lost. */
  readonly repeated: boolean;
}

/** Torn credit that a load gives back without asking anyone, per card and calendar month, unless told otherwise. */
export const DEFAULT_REFUND_CAP = 5_000_000n;

const MOST_LOADED = 2n ** 48n - 1n;

/**
 * Loads a card: S1, S2, S3 of `firmware-notes/protocol.md` 7.4. The order is on disk before it is signed, and an order that the card has
 * not proved is signed again, octet for octet, before there is another: whatever is lost on the way, repeating the same load loads once.
 *
 * @param now seconds since 1970.
 * @throws IssuerError those of {@link findIssuedCard} and {@link KeyStore.open}, and `WRONG_CURRENCY`, `OVER_MAXIMUM`, `EARLIER_LOAD`,
 *   `CARD_ROLLED_BACK`, `ACCOUNTS_BEHIND`, `ACCOUNTS_DISAGREE`.
 * @throws ForgedError when S1 or S3 is not under the card's own key.
 * @throws ModuleError when the card refuses.
 */
export async function loadCredit(
  module: DecodeModule,
  keys: KeyStore,
  accounts: Accounts,
  wish: LoadWish,
  now: number,
): Promise<LoadResult> {
  const { card } = await findIssuedCard(module, accounts, ['active']);
  const { cardId, currency } = card;
  if (wish.currency !== currency) {
    throw new IssuerError(
      'WRONG_CURRENCY',
      `card ${formatCardId(cardId)} holds currency ${currency} of ISO 4217, not ${wish.currency}; load it in its own`,
    );
  }
  const master = await keys.open('load');
  const loadOutKey = deriveCardKey(master, 'load-out', cardId);
  const request = openLoadRequest(await module.startLoad(), loadOutKey);
  if (!equalTags(request.cardId, cardId) || request.currency !== currency) throw disagree(cardId);

  const order = accounts.transaction(() => {
    const placed = openOrder(accounts, request);
    accounts.showCounters(cardId, request.spent, request.torn);
    return placed ?? placeOrder(accounts, request, wish, card.maximumBalance, now);
  });
  const fields = { cardId, number: order.number, currency, amount: order.asked + order.refund, loadId: order.loadId };
  const s2 = signLoadOrder(fields, deriveCardKey(master, 'load-in', cardId));
  const proof = openLoadProof(await module.load(s2), loadOutKey);
  if (
    proof.number !== fields.number ||
    proof.currency !== currency ||
    proof.amount !== fields.amount ||
    !equalTags(proof.loadId, fields.loadId) ||
    !equalTags(proof.cardId, cardId)
  ) {
    throw disagree(cardId);
  }
  accounts.proveOrder(cardId, order.number);

  const repeated = order.signedBefore;
  if (repeated && order.asked !== wish.amount) {
    throw new IssuerError(
      'EARLIER_LOAD',
      `an earlier load of ${wish.format(order.asked)} was still open and is done now; yours is not: repeat it if you still want it`,
    );
  }
  return {
    cardId,
    amount: order.asked,
    refund: order.refund,
    balance: accounts.orderedUpTo(cardId, order.number) - request.spent,
    repeated,
  };
}

interface Order extends Omit<PlacedOrder, 'proved'> {
  readonly signedBefore: boolean;
}

/** The order that was signed and never proved, after S1 was held against the accounts. */
function openOrder(accounts: Accounts, request: LoadRequest): Order | undefined {
  const { cardId, number } = request;
  const card = accounts.card(cardId);
  const last = accounts.lastOrder(cardId);
  const lastNumber = last?.number ?? 0;
  if (number > lastNumber) {
    throw new IssuerError(
      'ACCOUNTS_BEHIND',
      `card ${formatCardId(cardId)} proves load ${number}, these accounts end at ${lastNumber}; put the newest copy of them back`,
    );
  }
  const behind = number + 1 < lastNumber || (number < lastNumber && last?.proved === true);
  if (behind || request.spent < (card?.spent ?? 0n) || request.torn < (card?.torn ?? 0n)) {
    throw new IssuerError(
      'CARD_ROLLED_BACK',
      `card ${formatCardId(cardId)} has forgotten what it proved before: it is a copy, or an old state put back; withdraw it`,
    );
  }
  if (request.loaded !== accounts.orderedUpTo(cardId, number)) throw disagree(cardId);
  if (last === undefined) return undefined;
  if (number === lastNumber && !equalTags(request.lastLoadId, last.loadId)) throw disagree(cardId);
  if (last.proved) return undefined;
  return { ...last, signedBefore: true };
}

/** Writes down the next order: nothing that the card would refuse, as a number once used is used for good. */
function placeOrder(accounts: Accounts, request: LoadRequest, wish: LoadWish, maximum: bigint, now: number): Order {
  const { cardId } = request;
  const room = min(maximum - (request.loaded - request.spent), MOST_LOADED - request.loaded);
  if (wish.amount > room) {
    throw new IssuerError(
      'OVER_MAXIMUM',
      `card ${formatCardId(cardId)} takes at most ${wish.format(room)} more; load less`,
    );
  }
  const refund = min(
    request.torn - accounts.refundedSince(cardId, 0),
    wish.refundCap - accounts.refundedSince(cardId, startOfMonth(now)),
    room - wish.amount,
  );
  const order = {
    number: request.number + 1,
    loadId: new Uint8Array(randomBytes(LOAD_ID_LENGTH)),
    asked: wish.amount,
    refund: refund > 0n ? refund : 0n,
    signedAt: now,
  };
  if (order.asked + order.refund === 0n) {
    throw new IssuerError('NOTHING_TO_LOAD', `nothing is asked for and nothing is due to be refunded; name an amount`);
  }
  accounts.addOrder(cardId, order);
  return { ...order, signedBefore: false };
}

function startOfMonth(now: number): number {
  const date = new Date(now * 1000);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth()) / 1000;
}

function disagree(cardId: Uint8Array): IssuerError {
  return new IssuerError(
    'ACCOUNTS_DISAGREE',
    `card ${formatCardId(cardId)} and these accounts disagree on what was loaded; withdraw it, or put the newest copy of the accounts back`,
  );
}

function min(...amounts: readonly bigint[]): bigint {
  return amounts.reduce((least, amount) => (amount < least ? amount : least));
}
