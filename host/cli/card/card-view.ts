import type { CardLimits } from '../../../apdu/decode-module/card-limits.ts';
import type { PurseStatus } from '../../../apdu/decode-module/money/purse-status.ts';
import { type AccountSummary, summariseAccount } from '../../issuer/cards/account-summary.ts';
import { Accounts } from '../../issuer/cards/accounts.ts';
import { describeLimits, policyOfLimits } from '../../issuer/cards/holder-limits.ts';
import { formatMoney } from '../../money/amount.ts';
import { currencyByNumber } from '../../money/currency.ts';
import { hasSpendLimit } from '../../money/spend-limit.ts';
import { StoreError } from '../../store/store-error.ts';

/** The same thing twice: for programs, with amounts in micro-units, and for people. */
export interface View {
  readonly json: Record<string, unknown>;
  readonly lines: readonly string[];
}

/** A purse as the card shows it. @throws FormatError when ISO 4217 does not know its currency. */
export function describePurse(purse: PurseStatus): View {
  const currency = currencyByNumber(purse.currency);
  const format = (amount: bigint) => formatMoney(amount, currency);
  return {
    json: {
      currency: currency.code,
      balance: Number(purse.balance),
      maximumBalance: Number(purse.maximumBalance),
      loaded: Number(purse.loaded),
      orders: purse.loadNumber,
      spent: Number(purse.spent),
      torn: Number(purse.torn),
      receiptsWritten: purse.receiptsWritten,
      receiptsDue: purse.receiptsDue,
    },
    lines: [
      `balance   ${format(purse.balance)} of at most ${format(purse.maximumBalance)}`,
      `loaded    ${format(purse.loaded)}`,
      `spent     ${format(purse.spent)}, ${format(purse.torn)} of it torn`,
      `receipts  ${purse.receiptsWritten}, ${purse.receiptsDue} of them not collected`,
    ],
  };
}

/** What the accounts of a store hold of a card; undefined when there is no store. */
export async function describeAccount(store: string, cardId: Uint8Array): Promise<View | undefined> {
  try {
    await using accounts = await Accounts.open(store);
    const account = await summariseAccount(accounts, cardId);
    if (account === undefined) return { json: { issued: null }, lines: [`issued    not from ${store}`] };
    return viewAccount(account);
  } catch (cause) {
    if (cause instanceof StoreError && cause.code === 'NO_STORE') return undefined;
    throw cause;
  }
}

function viewAccount(account: AccountSummary): View {
  const { receipts, receiptsAmount, creditLimit, loads, limits, withdrawn } = account;
  const issued = new Date(account.issuedAt * 1000).toISOString();
  const currency = currencyByNumber(account.currency);
  return {
    json: {
      issued,
      receiptsKept: receipts,
      receiptsAmount: Number(receiptsAmount),
      loads,
      creditLimit: Number(creditLimit),
      limits: limits === undefined ? null : limitsToJson(limits),
      withdrawn,
    },
    lines: [
      `issued    ${issued}, loaded ${loads === 1 ? 'once' : `${loads} times`}`,
      `collected ${receipts} receipts, ${formatMoney(receiptsAmount, currency)}`,
      ...(creditLimit === 0n ? [] : [`credit    limit ${formatMoney(creditLimit, currency)}`]),
      ...(limits === undefined ? [] : [`limits    ${describeLimits(limits, currency)}`]),
      ...(withdrawn ? ['withdrawn it was a copy, or an old state put back; it is given nothing any more'] : []),
    ],
  };
}

/** Micro-units for programs; null when there is no limit. */
export function spendLimitToJson(limit: bigint): number | null {
  return hasSpendLimit(limit) ? Number(limit) : null;
}

/** The limits of a holder for programs. */
export function limitsToJson(limits: CardLimits): Record<string, unknown> {
  return {
    spendLimit: spendLimitToJson(limits.spendLimit),
    ratingLimit: limits.ratingLimit === 0 ? null : limits.ratingLimit,
    pinPolicy: policyOfLimits(limits),
  };
}
