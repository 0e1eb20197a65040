import { type CardLimits, decodeCardLimits } from '../../../apdu/decode-module/card-limits.ts';
import type { PurseStatus } from '../../../apdu/decode-module/money/purse-status.ts';
import { Accounts } from '../../issuer/cards/accounts.ts';
import { StoreError } from '../../store/store-error.ts';
import { currencyByNumber } from '../../money/currency.ts';
import { describeLimits, policyOfLimits } from '../../issuer/cards/holder-limits.ts';
import { hasSpendLimit } from '../../money/spend-limit.ts';
import { formatMoney } from '../../money/amount.ts';

/** The same for programs, amounts in micro-units, and for people. */
export interface View {
  readonly json: Record<string, unknown>;
  readonly lines: readonly string[];
}

/** A purse as the card shows it. @throws FormatError when ISO 4217 does not know its currency. */
export function describePurse(purse: PurseStatus): View {
  const currency = currencyByNumber(purse.currency);
  const write = (amount: bigint) => formatMoney(amount, currency);
  return {
    json: {
      currency: currency.code,
      balance: Number(purse.balance),
      maximumBalance: Number(purse.maximumBalance),
      loaded: Number(purse.loaded),
      loads: purse.loadNumber,
      spent: Number(purse.spent),
      torn: Number(purse.torn),
      receiptsWritten: purse.receiptsWritten,
      receiptsDue: purse.receiptsDue,
    },
    lines: [
      `balance   ${write(purse.balance)} of at most ${write(purse.maximumBalance)}`,
      `loaded    ${write(purse.loaded)} in ${purse.loadNumber} ${purse.loadNumber === 1 ? 'load' : 'loads'}`,
      `spent     ${write(purse.spent)}, ${write(purse.torn)} of it torn`,
      `receipts  ${purse.receiptsWritten}, ${purse.receiptsDue} of them not collected`,
    ],
  };
}

/** What the accounts have of a card, if there are any and it is in them. */
export async function describeAccount(store: string, cardId: Uint8Array): Promise<View | undefined> {
  let accounts: Accounts;
  try {
    accounts = await Accounts.open(store);
  } catch (cause) {
    if (cause instanceof StoreError && cause.code === 'NO_STORE') return undefined;
    throw cause;
  }
  try {
    const card = await accounts.card(cardId);
    if (card === undefined) return { json: { issued: null }, lines: [`issued    not from ${store}`] };
    const issued = new Date(card.issuedAt * 1000).toISOString();
    const currency = currencyByNumber(card.currency);
    const { last, amount } = await accounts.receiptTotals(cardId);
    const order = await accounts.lastOrder(cardId);
    const creditLimit = await accounts.creditLimitAt(cardId, order?.number ?? 0);
    const limits = card.limits === null ? undefined : decodeCardLimits(card.limits);
    return {
      json: {
        issued,
        receiptsKept: last,
        receiptsAmount: Number(amount),
        creditLimit: Number(creditLimit),
        limits: limits === undefined ? null : limitsJson(limits),
        withdrawn: card.withdrawn,
      },
      lines: [
        `issued    ${issued}`,
        `collected ${last} receipts, ${formatMoney(amount, currency)}`,
        ...(creditLimit === 0n ? [] : [`credit    limit ${formatMoney(creditLimit, currency)}`]),
        ...(limits === undefined ? [] : [`limits    ${describeLimits(limits, currency)}`]),
        ...(card.withdrawn ? ['withdrawn it was a copy, or an old state put back; it is given nothing any more'] : []),
      ],
    };
  } finally {
    await accounts.close();
  }
}

/** Micro-units for programs; null when there is no limit. */
export function spendLimitJson(limit: bigint): number | null {
  return hasSpendLimit(limit) ? Number(limit) : null;
}

/** The limits of a holder for programs. */
export function limitsJson(limits: CardLimits): Record<string, unknown> {
  return {
    spendLimit: spendLimitJson(limits.spendLimit),
    ratingLimit: limits.ratingLimit === 0 ? null : limits.ratingLimit,
    pinPolicy: policyOfLimits(limits),
  };
}
