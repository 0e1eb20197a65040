import { decodeCardId, formatCardId } from '../../../apdu/decode-module/card-id.ts';
import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import type { LoadRequest } from '../../../apdu/decode-module/money/credit-load.ts';
import { currencyByNumber } from '../../money/currency.ts';
import type { Accounts, IssuedCard, OrderKind } from '../cards/accounts.ts';
import { IssuerError } from '../issuer-error.ts';
import type { KeyStore } from '../keys/key-store.ts';

/** What it takes to carry out an order with the card in the reader. */
export interface OrderContext {
  readonly module: DecodeModule;
  readonly keys: Pick<KeyStore, 'open'>;
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

/** An order, and how its refund is found. */
export interface OrderPlan {
  readonly kind: OrderKind;
  readonly request: OrderRequest;
  /** Of the order, 8 octets that no other order has; random when left out. */
  readonly loadId?: Uint8Array;
  /**
   * Refuses what the card would refuse, as a number that was used is used for good.
   * @param accounts of the transaction that will hold the order.
   * @returns the refund, micro-units.
   */
  readonly decideRefund: (terms: OrderTerms, accounts: Accounts) => Promise<bigint>;
}

/** The owner of a soft module can read all of it, so it is trusted with little at a time. Micro-units. */
export const DEFAULT_SOFT_LIMIT = 10_000_000n;

/** What the next order of a card has to respect. */
export async function readTerms(
  accounts: Accounts,
  card: IssuedCard,
  loadRequest: LoadRequest,
  request: OrderRequest,
): Promise<OrderTerms> {
  const soft = decodeCardId(card.cardId).moduleClass === 'soft';
  return {
    card,
    loadRequest,
    creditLimit: await accounts.creditLimitAt(card.cardId, loadRequest.number),
    softLimit: soft ? (request.softLimit ?? DEFAULT_SOFT_LIMIT) : undefined,
  };
}

/** @throws IssuerError `WRONG_CURRENCY`. */
export function requireCurrency({ cardId, currency }: IssuedCard, wanted: number): void {
  if (wanted === currency) return;
  const [held, other] = [currencyByNumber(currency).code, currencyByNumber(wanted).code];
  throw new IssuerError(
    'WRONG_CURRENCY',
    `card ${formatCardId(cardId)} holds ${held}, not ${other}; write the amount in ${held}`,
  );
}
