import { randomBytes } from 'node:crypto';
import { decodeCardId, formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import {
  type LoadRequest,
  openCreditLimitProof,
  openLoadProof,
  openLoadRequest,
  signCreditLimit,
  signLoadOrder,
} from '../../../apdu/decode-module/money/credit-load.ts';
import { LOAD_ID_LENGTH } from '../../../apdu/layout/money.ts';
import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { equalTags } from '../../../apdu/octets.ts';
import type { Accounts, IssuedCard, OrderKind, PlacedOrder } from '../cards/accounts.ts';
import { currencyByNumber } from '../../money/currency.ts';
import { findIssuedCard, OUT_OF_USE, requireTrusted } from '../cards/issued-card.ts';
import { IssuerError } from '../issuer-error.ts';
import type { KeyStore } from '../keys/key-store.ts';

/** An order as it is wished for; amounts in micro-units. */
export interface OrderWish {
  /** To be loaded; or the new credit limit. */
  readonly amount: bigint;
  /** ISO 4217 number. */
  readonly currency: number;
  /** Most that a soft module is trusted with: its balance and its credit limit; {@link DEFAULT_SOFT_LIMIT} unless told. */
  readonly softLimit?: bigint;
  /** How errors are to write amounts of this currency. */
  readonly format: (amount: bigint) => string;
}

/** What the next order has to respect. */
export interface OrderTerms {
  readonly card: IssuedCard;
  readonly request: LoadRequest;
  /** Present one. */
  readonly creditLimit: bigint;
  /** Most that the balance and the credit limit of this card may come to together; nothing for one that is no soft module. */
  readonly softLimit: bigint | undefined;
}

export interface CarriedOut extends OrderTerms {
  readonly asked: bigint;
  readonly refund: bigint;
  readonly number: number;
  /** Whether the order had been signed by an earlier attempt, whose answer was lost. */
  readonly repeated: boolean;
}

/** A soft module keeps nothing from its owner: what it is trusted with at a time, unless told otherwise. */
export const DEFAULT_SOFT_LIMIT = 10_000_000n;

/**
 * Has a card carry out one numbered order: S1, S2, S3 of `firmware-notes/protocol.md` 7.4. The order is on disk before it is signed, and an
 * order that the card has not proved is signed again, octet for octet, before there is another: whatever is lost on the way, the same order
 * again is carried out once. A soft module whose counters run backwards is withdrawn.
 *
 * @param decide refuses what the card would, as a number once used is used for good; returns the refund, micro-units.
 * @param now seconds since 1970.
 * @throws IssuerError those of {@link findIssuedCard} and {@link KeyStore.open}, and `WITHDRAWN`, `WRONG_CURRENCY`, `RECEIPTS_FIRST`,
 *   `EARLIER_LOAD`, `CARD_ROLLED_BACK`, `ACCOUNTS_BEHIND`, `ACCOUNTS_DISAGREE`.
 * @throws ForgedError when S1 or S3 is not under the card's own key.
 * @throws ModuleError when the card refuses.
 */
export async function carryOut(
  module: DecodeModule,
  keys: KeyStore,
  accounts: Accounts,
  kind: OrderKind,
  wish: OrderWish,
  decide: (terms: OrderTerms) => bigint,
  now: number,
): Promise<CarriedOut> {
  const { card } = await findIssuedCard(module, accounts, ['active']);
  requireTrusted(card);
  const { cardId, currency } = card;
  if (wish.currency !== currency) {
    throw new IssuerError(
      'WRONG_CURRENCY',
      `card ${formatCardId(cardId)} holds ${currencyByNumber(currency).code}, not ${currencyByNumber(wish.currency).code}; load it in its own`,
    );
  }
  const master = await keys.open('load');
  const loadOutKey = deriveCardKey(master, 'load-out', cardId);
  const request = openLoadRequest(await module.startLoad(), loadOutKey);
  if (!equalTags(request.cardId, cardId) || request.currency !== currency) throw disagree(cardId);

  const soft = decodeCardId(cardId).moduleClass === 'soft';
  const terms: OrderTerms = {
    card,
    request,
    creditLimit: accounts.creditLimitAt(cardId, request.number),
    softLimit: soft ? (wish.softLimit ?? DEFAULT_SOFT_LIMIT) : undefined,
  };
  const place = (): Placed => {
    const open = openOrder(accounts, request);
    if (open !== undefined) return open;
    if (soft) requireReceipts(accounts, request);
    const order = {
      kind,
      number: request.number + 1,
      loadId: new Uint8Array(randomBytes(LOAD_ID_LENGTH)),
      asked: wish.amount,
      refund: decide(terms),
      signedAt: now,
    };
    accounts.addOrder(cardId, order);
    return { ...order, repeated: false };
  };
  let order: Placed;
  try {
    // What the card has proved is kept, whatever becomes of the order.
    accounts.transaction(() => {
      openOrder(accounts, request);
      accounts.showCounters(cardId, request.spent, request.torn, request.receiptsWritten);
    });
    order = accounts.transaction(place);
  } catch (error) {
    if (soft && error instanceof IssuerError && error.code === 'CARD_ROLLED_BACK') accounts.withdraw(cardId);
    throw error;
  }
  await prove(module, master, cardId, currency, order, loadOutKey);
  accounts.proveOrder(cardId, order.number);

  const { asked, refund, number, repeated } = order;
  if (repeated && (asked !== wish.amount || order.kind !== kind)) {
    const earlier = order.kind === 'load' ? 'load of' : 'credit limit of';
    throw new IssuerError(
      'EARLIER_LOAD',
      `an earlier ${earlier} ${wish.format(asked)} was still open and is done now; yours is not: repeat it if you still want it`,
    );
  }
  return { ...terms, asked, refund, number, repeated };
}

interface Placed extends Omit<PlacedOrder, 'proved'> {
  readonly repeated: boolean;
}

/** Sends the order; only the card's own proof of just this order counts. */
async function prove(
  module: DecodeModule,
  master: Uint8Array,
  cardId: Uint8Array,
  currency: number,
  { kind, number, asked, refund, loadId }: Placed,
  loadOutKey: Uint8Array,
): Promise<void> {
  const fields = { cardId, number, currency, amount: asked + refund, loadId };
  const [sign, open] =
    kind === 'load' ? ([signLoadOrder, openLoadProof] as const) : ([signCreditLimit, openCreditLimitProof] as const);
  const proof = open(await module.load(sign(fields, deriveCardKey(master, 'load-in', cardId))), loadOutKey);
  if (
    proof.number !== number ||
    proof.currency !== currency ||
    proof.amount !== fields.amount ||
    !equalTags(proof.loadId, loadId) ||
    !equalTags(proof.cardId, cardId)
  ) {
    throw disagree(cardId);
  }
}

/** The order that was signed and never proved, after S1 was held against the accounts. */
function openOrder(accounts: Accounts, request: LoadRequest): Placed | undefined {
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
  const counted = Math.max(card?.receipts ?? 0, accounts.receiptTotals(cardId).last);
  if (
    behind ||
    request.spent < (card?.spent ?? 0n) ||
    request.torn < (card?.torn ?? 0n) ||
    request.receiptsWritten < counted
  ) {
    throw new IssuerError(
      'CARD_ROLLED_BACK',
      `card ${formatCardId(cardId)} has forgotten what it proved before: it is a copy, or an old state put back; ${OUT_OF_USE}`,
    );
  }
  if (request.loaded !== accounts.orderedUpTo(cardId, number)) throw disagree(cardId);
  if (last === undefined) return undefined;
  if (number === lastNumber && !equalTags(request.lastLoadId, last.loadId)) throw disagree(cardId);
  if (last.proved) return undefined;
  return { ...last, repeated: true };
}

/** Each grant to a soft module against the receipts of the last. */
function requireReceipts(accounts: Accounts, { cardId, spent, receiptsWritten }: LoadRequest): void {
  const { last, amount, torn } = accounts.receiptTotals(cardId);
  if (last === receiptsWritten && amount + torn === spent) return;
  throw new IssuerError(
    'RECEIPTS_FIRST',
    `soft module ${formatCardId(cardId)} gets credit against its receipts alone; type first: tollcast issuer collect`,
  );
}

function disagree(cardId: Uint8Array): IssuerError {
  return new IssuerError(
    'ACCOUNTS_DISAGREE',
    `card ${formatCardId(cardId)} and these accounts disagree on what was loaded; put the newest copy of the accounts back, or ${OUT_OF_USE}`,
  );
}
