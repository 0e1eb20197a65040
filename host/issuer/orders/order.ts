import { randomBytes } from 'node:crypto';
import { decodeCardId, formatCardId } from '../../../apdu/decode-module/card-id.ts';
import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
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
import { equalTags } from '../../../apdu/octets.ts';
import { formatMoney } from '../../money/amount.ts';
import { currencyByNumber } from '../../money/currency.ts';
import type { Accounts, IssuedCard, OrderKind, PlacedOrder } from '../cards/accounts.ts';
import { findIssuedCard, OUT_OF_USE, requireTrusted } from '../cards/issued-card.ts';
import { IssuerError } from '../issuer-error.ts';
import type { KeyStore } from '../keys/key-store.ts';

/** What it takes to carry out an order with the card in the reader. */
export interface OrderContext {
  readonly module: DecodeModule;
  readonly keys: KeyStore;
  readonly accounts: Accounts;
  /** Seconds since 1970. */
  readonly now: number;
}

/** An order as it is asked for; amounts in micro-units. */
export interface OrderRequest {
  /** To be loaded; or the new credit limit. */
  readonly amount: bigint;
  /** ISO 4217 number. */
  readonly currency: number;
  /** Most that balance and credit limit of a soft module may come to; {@link DEFAULT_SOFT_LIMIT} when left out. */
  readonly softLimit?: bigint;
}

/** What the next order has to respect; amounts in micro-units. */
export interface OrderTerms {
  readonly card: IssuedCard;
  /** S1: what the card has proved. */
  readonly loadRequest: LoadRequest;
  /** The present one. */
  readonly creditLimit: bigint;
  /** Most that balance and credit limit may come to together; undefined when the card is not a soft module. */
  readonly softLimit: bigint | undefined;
}

export interface OrderResult extends OrderTerms {
  readonly asked: bigint;
  readonly refund: bigint;
  readonly number: number;
  /** Whether an earlier attempt, whose answer was lost, had signed the order. */
  readonly repeated: boolean;
}

/** An order, and how its refund is found. */
export interface OrderPlan {
  readonly kind: OrderKind;
  readonly request: OrderRequest;
  /**
   * Refuses what the card would refuse, as a number that was used is used for good.
   * @param accounts of the transaction that will hold the order.
   * @returns the refund, micro-units.
   */
  readonly decideRefund: (terms: OrderTerms, accounts: Accounts) => Promise<bigint>;
}

/** The owner of a soft module can read all of it, so it is trusted with little at a time. Micro-units. */
export const DEFAULT_SOFT_LIMIT = 10_000_000n;

/**
 * Has a card carry out one numbered order: S1, S2, S3 of protocol 7.4. The order is on disk before it is signed. An
 * order that the card has not proved is signed again, octet for octet, before there is another. So the same order can
 * be repeated whatever was lost on the way, and is carried out once. A soft module whose counters run backwards is
 * withdrawn.
 *
 * @throws IssuerError those of {@link findIssuedCard} and {@link KeyStore.open}, and `WITHDRAWN`, `WRONG_CURRENCY`,
 *   `RECEIPTS_FIRST`, `EARLIER_LOAD`, `CARD_ROLLED_BACK`, `ACCOUNTS_BEHIND`, `ACCOUNTS_DISAGREE`.
 * @throws ForgedError when S1 or S3 is not under the card's own key.
 * @throws ModuleError when the card refuses.
 */
export async function carryOutOrder(context: OrderContext, plan: OrderPlan): Promise<OrderResult> {
  const { module, keys, accounts } = context;
  const { kind, request } = plan;
  const { card } = await findIssuedCard(module, accounts, ['active']);
  requireTrusted(card);
  requireCurrency(card, request.currency);
  const { cardId, currency } = card;
  const master = await keys.open('load');
  const loadOutKey = deriveCardKey(master, 'load-out', cardId);
  const loadRequest = openLoadRequest(await module.startLoad(), loadOutKey);
  if (!equalTags(loadRequest.cardId, cardId) || loadRequest.currency !== currency) throw disagree(cardId);

  const soft = decodeCardId(cardId).moduleClass === 'soft';
  const terms: OrderTerms = {
    card,
    loadRequest,
    creditLimit: await accounts.creditLimitAt(cardId, loadRequest.number),
    softLimit: soft ? (request.softLimit ?? DEFAULT_SOFT_LIMIT) : undefined,
  };
  const order = await placeOrder(context, plan, terms);
  const loadInKey = deriveCardKey(master, 'load-in', cardId);
  await proveOrder(module, { cardId, currency, order, loadInKey, loadOutKey });
  await accounts.recordProof(cardId, order.number);

  const { asked, refund, number, repeated } = order;
  if (repeated && (asked !== request.amount || order.kind !== kind)) {
    const earlier = order.kind === 'load' ? 'load of' : 'credit limit of';
    const amount = formatMoney(asked, currencyByNumber(currency));
    throw new IssuerError(
      'EARLIER_LOAD',
      `an earlier ${earlier} ${amount} was still open and is done now; yours is not: repeat it if you still want it`,
    );
  }
  return { ...terms, asked, refund, number, repeated };
}

function requireCurrency({ cardId, currency }: IssuedCard, wanted: number): void {
  if (wanted === currency) return;
  const [held, other] = [currencyByNumber(currency).code, currencyByNumber(wanted).code];
  throw new IssuerError(
    'WRONG_CURRENCY',
    `card ${formatCardId(cardId)} holds ${held}, not ${other}; write the amount in ${held}`,
  );
}

interface OpenOrder extends Omit<PlacedOrder, 'proved'> {
  readonly repeated: boolean;
}

/** The order that is still open, or else a new one. On disk when this resolves. */
async function placeOrder(
  { accounts, now }: OrderContext,
  { kind, request, decideRefund }: OrderPlan,
  terms: OrderTerms,
): Promise<OpenOrder> {
  const { cardId, number, spent, torn, receiptsWritten } = terms.loadRequest;
  const soft = terms.softLimit !== undefined;
  try {
    // What the card has proved is kept, whatever becomes of the order.
    await accounts.transaction(async (inside) => {
      await findOpenOrder(inside, terms.loadRequest);
      await inside.recordCounters(cardId, { spent, torn, receipts: receiptsWritten });
    });
    return await accounts.transaction(async (inside) => {
      const open = await findOpenOrder(inside, terms.loadRequest);
      if (open !== undefined) return open;
      if (soft) await requireReceipts(inside, terms.loadRequest);
      const order = {
        kind,
        number: number + 1,
        loadId: new Uint8Array(randomBytes(LOAD_ID_LENGTH)),
        asked: request.amount,
        refund: await decideRefund(terms, inside),
        signedAt: now,
      };
      await inside.addOrder(cardId, order);
      return { ...order, repeated: false };
    });
  } catch (error) {
    if (soft && error instanceof IssuerError && error.code === 'CARD_ROLLED_BACK') await accounts.withdraw(cardId);
    throw error;
  }
}

/** The order that was signed and never proved. Compares S1 with the accounts first. */
async function findOpenOrder(accounts: Accounts, loadRequest: LoadRequest): Promise<OpenOrder | undefined> {
  const { cardId, number } = loadRequest;
  const card = await accounts.card(cardId);
  const last = await accounts.lastOrder(cardId);
  const lastNumber = last?.number ?? 0;
  if (number > lastNumber) {
    throw new IssuerError(
      'ACCOUNTS_BEHIND',
      `card ${formatCardId(cardId)} proves load ${number}, these accounts end at ${lastNumber}; ` +
        'put the newest copy of them back',
    );
  }
  const behind = number + 1 < lastNumber || (number < lastNumber && last?.proved === true);
  const counted = Math.max(card?.receipts ?? 0, (await accounts.receiptTotals(cardId)).last);
  if (
    behind ||
    loadRequest.spent < (card?.spent ?? 0n) ||
    loadRequest.torn < (card?.torn ?? 0n) ||
    loadRequest.receiptsWritten < counted
  ) {
    throw new IssuerError(
      'CARD_ROLLED_BACK',
      `card ${formatCardId(cardId)} has forgotten what it proved before: it is a copy, or an old state put back; ` +
        OUT_OF_USE,
    );
  }
  if (loadRequest.loaded !== (await accounts.orderedUpTo(cardId, number))) throw disagree(cardId);
  if (last === undefined) return undefined;
  if (number === lastNumber && !equalTags(loadRequest.lastLoadId, last.loadId)) throw disagree(cardId);
  if (last.proved) return undefined;
  return { ...last, repeated: true };
}

/** A soft module gets the next credit when all it has spent is covered by receipts. */
async function requireReceipts(accounts: Accounts, { cardId, spent, receiptsWritten }: LoadRequest): Promise<void> {
  const { last, amount, torn } = await accounts.receiptTotals(cardId);
  if (last === receiptsWritten && amount + torn === spent) return;
  throw new IssuerError(
    'RECEIPTS_FIRST',
    `soft module ${formatCardId(cardId)} gets credit against its receipts alone; type first: tollcast issuer collect`,
  );
}

/** Sends S2, and takes only the card's own proof of this very order. */
async function proveOrder(
  module: DecodeModule,
  {
    cardId,
    currency,
    order: { kind, number, asked, refund, loadId },
    loadInKey,
    loadOutKey,
  }: { cardId: Uint8Array; currency: number; order: OpenOrder; loadInKey: Uint8Array; loadOutKey: Uint8Array },
): Promise<void> {
  const fields = { cardId, number, currency, amount: asked + refund, loadId };
  const [sign, open] =
    kind === 'load' ? ([signLoadOrder, openLoadProof] as const) : ([signCreditLimit, openCreditLimitProof] as const);
  const proof = open(await module.loadCredit(sign(fields, loadInKey)), loadOutKey);
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

function disagree(cardId: Uint8Array): IssuerError {
  return new IssuerError(
    'ACCOUNTS_DISAGREE',
    `card ${formatCardId(cardId)} and these accounts disagree on what was loaded; ` +
      `put the newest copy of the accounts back, or ${OUT_OF_USE}`,
  );
}
