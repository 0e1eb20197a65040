import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { MAX_MONEY } from '../../../apdu/layout/max-money.ts';
import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import type { Accounts } from '../cards/accounts.ts';
import { IssuerError } from '../issuer-error.ts';
import type { KeyStore } from '../keys/key-store.ts';
import { carryOut, type OrderTerms, type OrderWish } from './order.ts';

/** What to load; an amount of 0 asks for the refund alone. */
export interface LoadWish extends OrderWish {
  /** Most torn credit given back to one card in one calendar month (UTC), micro-units. */
  readonly refundCap: bigint;
}

export interface LoadResult {
  readonly cardId: Uint8Array;
  readonly amount: bigint;
  /** Torn credit given back with it. */
  readonly refund: bigint;
  /** Loaded - spent after it; below zero as far as the credit limit is used. */
  readonly balance: bigint;
  /** Whether the order had been signed by an earlier attempt, whose answer was lost. */
  readonly repeated: boolean;
}

export interface CreditLimitResult {
  readonly cardId: Uint8Array;
  readonly creditLimit: bigint;
  readonly balance: bigint;
  readonly repeated: boolean;
}

/** Torn credit that a load gives back without asking anyone, per card and calendar month, unless told otherwise. */
export const DEFAULT_REFUND_CAP = 5_000_000n;

/** The card leaves room for a credit limit. */
const MOST_LOADED = 2n ** 48n - 2n ** 39n;

/**
 * Loads a card, and gives back what power cuts have torn.
 * @param now seconds since 1970.
 * @throws those of {@link carryOut}, and IssuerError `OVER_MAXIMUM`, `NOTHING_TO_LOAD`.
 */
export async function loadCredit(
  module: DecodeModule,
  keys: KeyStore,
  accounts: Accounts,
  wish: LoadWish,
  now: number,
): Promise<LoadResult> {
  const decide = (terms: OrderTerms) => refundOf(accounts, terms, wish, now);
  const { card, request, asked, refund, number, repeated } = await carryOut(
    module,
    keys,
    accounts,
    'load',
    wish,
    decide,
    now,
  );
  const balance = accounts.orderedUpTo(card.cardId, number) - request.spent;
  return { cardId: card.cardId, amount: asked, refund, balance, repeated };
}

/**
 * Lets a card spend this much more than it holds. Numbered and proved like a load.
 * @param now seconds since 1970.
 * @throws those of {@link carryOut}, and IssuerError `OVER_MAXIMUM`.
 */
export async function setCreditLimit(
  module: DecodeModule,
  keys: KeyStore,
  accounts: Accounts,
  wish: OrderWish,
  now: number,
): Promise<CreditLimitResult> {
  const decide = ({ card, request, softLimit }: OrderTerms) => {
    const { cardId, maximumBalance } = card;
    const most = min(MAX_MONEY - maximumBalance, ...(softLimit === undefined ? [] : [softLimit - balanceOf(request)]));
    const trust = softLimit !== undefined && most === softLimit - balanceOf(request) ? softLimit : undefined;
    if (wish.amount > most) throw overMaximum(cardId, 'may have a credit limit of at most', most, '', wish, trust);
    return 0n;
  };
  const { card, request, asked, number, repeated } = await carryOut(
    module,
    keys,
    accounts,
    'credit limit',
    wish,
    decide,
    now,
  );
  const balance = accounts.orderedUpTo(card.cardId, number) - request.spent;
  return { cardId: card.cardId, creditLimit: asked, balance, repeated };
}

/** What the load is to give back. @throws IssuerError when the load is more than the card takes, or nothing. */
function refundOf(
  accounts: Accounts,
  { card: { cardId, maximumBalance }, request, creditLimit, softLimit }: OrderTerms,
  wish: LoadWish,
  now: number,
): bigint {
  const balance = balanceOf(request);
  const trusted = softLimit === undefined ? [] : [softLimit - creditLimit - balance];
  const room = min(maximumBalance - balance, MOST_LOADED - request.loaded, ...trusted);
  const trust = trusted[0] === room ? softLimit : undefined;
  if (wish.amount > room) throw overMaximum(cardId, 'takes at most', room, ' more', wish, trust);
  const refund = min(
    request.torn - accounts.refundedSince(cardId, 0),
    wish.refundCap - accounts.refundedSince(cardId, startOfMonth(now)),
    room - wish.amount,
  );
  if (wish.amount > 0n || refund > 0n) return refund > 0n ? refund : 0n;
  throw new IssuerError('NOTHING_TO_LOAD', `nothing is asked for and nothing is due to be refunded; name an amount`);
}

function balanceOf({ loaded, spent }: OrderTerms['request']): bigint {
  return loaded - spent;
}

function overMaximum(
  cardId: Uint8Array,
  takes: string,
  most: bigint,
  more: string,
  { format }: OrderWish,
  trust: bigint | undefined,
): IssuerError {
  const room = `card ${formatCardId(cardId)} ${takes} ${format(most > 0n ? most : 0n)}${more}`;
  const why = trust === undefined ? '' : `, as a soft module is trusted with ${format(trust)} in all`;
  const advice = trust === undefined ? 'name less' : 'name less, or trust it with more by --soft-limit';
  return new IssuerError('OVER_MAXIMUM', `${room}${why}; ${advice}`);
}

function startOfMonth(now: number): number {
  const date = new Date(now * 1000);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth()) / 1000;
}

function min(first: bigint, ...amounts: readonly bigint[]): bigint {
  return amounts.reduce((least, amount) => (amount < least ? amount : least), first);
}
