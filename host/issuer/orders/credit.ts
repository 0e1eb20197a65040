import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { MAX_MONEY } from '../../../apdu/layout/max-money.ts';
import { formatMoney } from '../../money/amount.ts';
import { currencyByNumber } from '../../money/currency.ts';
import type { Accounts, IssuedCard } from '../cards/accounts.ts';
import { IssuerError } from '../issuer-error.ts';
import type { OrderContext, OrderPlan, OrderRequest, OrderTerms } from './order-plan.ts';
import { carryOutOrder } from './order.ts';

/** What to load; an amount of 0 asks for the refund alone. */
export interface CreditRequest extends OrderRequest {
  /** Most torn credit given back to one card in one calendar month (UTC), micro-units. */
  readonly refundCap: bigint;
  /** Most torn credit that is given back to the card in all, as far as is known that it was torn; all when left out. */
  readonly refundable?: bigint;
}

export interface LoadResult {
  readonly cardId: Uint8Array;
  readonly amount: bigint;
  /** Torn credit given back with it. */
  readonly refund: bigint;
  /** Loaded - spent after it; below zero as far as the credit limit is used. */
  readonly balance: bigint;
  /** Whether an earlier attempt, whose answer was lost, had signed the order. */
  readonly repeated: boolean;
}

export interface CreditLimitResult {
  readonly cardId: Uint8Array;
  readonly creditLimit: bigint;
  readonly balance: bigint;
  readonly repeated: boolean;
}

/** Torn credit that a load gives back without asking anyone, per card and calendar month, in micro-units. */
export const DEFAULT_REFUND_CAP = 5_000_000n;

/** Most that a card may ever have been loaded with, micro-units: a u48 less the room for a credit limit. */
const MAX_LOADED = 2n ** 48n - 2n ** 39n;

/**
 * Loads a card, and gives back what power cuts have torn.
 * @throws those of {@link carryOutOrder}, and IssuerError `OVER_MAXIMUM`, `NOTHING_TO_LOAD`.
 */
export async function loadCredit(context: OrderContext, request: CreditRequest): Promise<LoadResult> {
  const { card, loadRequest, asked, refund, number, repeated } = await carryOutOrder(
    context,
    planLoad(request, context.now),
  );
  const balance = (await context.accounts.orderedUpTo(card.cardId, number)) - loadRequest.spent;
  return { cardId: card.cardId, amount: asked, refund, balance, repeated };
}

/**
 * Lets a card spend this much more than it holds. Numbered and proved like a load.
 * @throws those of {@link carryOutOrder}, and IssuerError `OVER_MAXIMUM`.
 */
export async function setCreditLimit(context: OrderContext, request: OrderRequest): Promise<CreditLimitResult> {
  const { card, loadRequest, asked, number, repeated } = await carryOutOrder(context, planCreditLimit(request));
  const balance = (await context.accounts.orderedUpTo(card.cardId, number)) - loadRequest.spent;
  return { cardId: card.cardId, creditLimit: asked, balance, repeated };
}

/** The order that loads credit. @param now seconds since 1970. */
export function planLoad(request: CreditRequest, now: number): OrderPlan {
  return {
    kind: 'load',
    request,
    decideRefund: (terms, accounts) => computeRefund(accounts, terms, request, now),
  };
}

/** The order that sets the credit limit. */
export function planCreditLimit(request: OrderRequest): OrderPlan {
  return {
    kind: 'credit limit',
    request,
    decideRefund: async (terms) => {
      requireLimitFits(terms, request.amount);
      return 0n;
    },
  };
}

/** @throws IssuerError `OVER_MAXIMUM` when the card cannot count the limit, or is not trusted with it. */
function requireLimitFits({ card, loadRequest, softLimit }: OrderTerms, limit: bigint): void {
  const countable = MAX_MONEY - card.maximumBalance;
  const trusted = softLimit === undefined ? countable : softLimit - balanceOf(loadRequest);
  const room = min(countable, trusted);
  if (limit <= room) return;
  const trust = room === trusted ? softLimit : undefined;
  throw overMaximum(card, `may have a credit limit of at most ${formatRoom(card, room)}`, trust);
}

/**
 * What the load is to give back.
 * @throws IssuerError `OVER_MAXIMUM` when the load is more than the card takes, `NOTHING_TO_LOAD` when it is nothing.
 */
async function computeRefund(
  accounts: Accounts,
  { card, loadRequest, creditLimit, softLimit }: OrderTerms,
  request: CreditRequest,
  now: number,
): Promise<bigint> {
  const { cardId, maximumBalance } = card;
  const balance = balanceOf(loadRequest);
  const countable = min(maximumBalance - balance, MAX_LOADED - loadRequest.loaded);
  const trusted = softLimit === undefined ? countable : softLimit - creditLimit - balance;
  const room = min(countable, trusted);
  if (request.amount > room) {
    const trust = room === trusted ? softLimit : undefined;
    throw overMaximum(card, `takes at most ${formatRoom(card, room)} more`, trust);
  }
  const { torn } = loadRequest;
  const refund = min(
    min(torn, request.refundable ?? torn) - (await accounts.refundedSince(cardId, 0)),
    request.refundCap - (await accounts.refundedSince(cardId, startOfMonth(now))),
    room - request.amount,
  );
  if (request.amount > 0n || refund > 0n) return refund > 0n ? refund : 0n;
  throw new IssuerError('NOTHING_TO_LOAD', `nothing is asked for and nothing is due to be refunded; name an amount`);
}

function balanceOf({ loaded, spent }: OrderTerms['loadRequest']): bigint {
  return loaded - spent;
}

/** @param trust what a soft module is trusted with, when this is what the request exceeds. */
function overMaximum(card: IssuedCard, room: string, trust: bigint | undefined): IssuerError {
  const why = trust === undefined ? '' : `, as a soft module is trusted with ${formatRoom(card, trust)} in all`;
  const advice = trust === undefined ? 'name less' : 'name less, or trust it with more by --soft-limit';
  return new IssuerError('OVER_MAXIMUM', `card ${formatCardId(card.cardId)} ${room}${why}; ${advice}`);
}

function formatRoom({ currency }: IssuedCard, room: bigint): string {
  return formatMoney(room > 0n ? room : 0n, currencyByNumber(currency));
}

function startOfMonth(now: number): number {
  const date = new Date(now * 1000);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth()) / 1000;
}

function min(first: bigint, ...amounts: readonly bigint[]): bigint {
  return amounts.reduce((least, amount) => (amount < least ? amount : least), first);
}
