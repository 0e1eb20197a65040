import { type CardLimits, decodeCardLimits } from '../../../apdu/decode-module/card-limits.ts';
import type { Accounts } from './accounts.ts';

/** What the accounts hold of a card. Amounts in micro-units. */
export interface AccountSummary {
  /** Seconds since 1970. */
  readonly issuedAt: number;
  /** ISO 4217 number. */
  readonly currency: number;
  readonly receipts: number;
  /** Sum of the receipts. */
  readonly receiptsAmount: bigint;
  readonly creditLimit: bigint;
  /** Loads that the card has proved; an order that sets the credit limit is not one. */
  readonly loads: number;
  /** Undefined when the card was given none. */
  readonly limits: CardLimits | undefined;
  /** Whether the card was a copy or an old state, and is given nothing any more. */
  readonly withdrawn: boolean;
}

/** Sums up the account of a card. @returns undefined when the card is not in these accounts. */
export async function summariseAccount(accounts: Accounts, cardId: Uint8Array): Promise<AccountSummary | undefined> {
  const card = await accounts.card(cardId);
  if (card === undefined) return undefined;
  const { issuedAt, currency, withdrawn } = card;
  const { last, amount } = await accounts.receiptTotals(cardId);
  const order = await accounts.lastOrder(cardId);
  return {
    issuedAt,
    currency,
    receipts: last,
    receiptsAmount: amount,
    creditLimit: await accounts.creditLimitAt(cardId, order?.number ?? 0),
    loads: await accounts.countLoads(cardId),
    limits: card.limits === null ? undefined : decodeCardLimits(card.limits),
    withdrawn,
  };
}
