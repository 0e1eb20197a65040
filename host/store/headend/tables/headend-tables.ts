import type { Selectable } from 'kysely';
import { CREDIT_COLUMNS, type CreditTables } from './credit-tables.ts';
import { DISPUTE_COLUMNS, type DisputeTables } from './dispute-tables.ts';
import { INVOICE_COLUMNS, type InvoiceTables } from './invoice-tables.ts';
import { LEDGER_COLUMNS, type LedgerTables } from './ledger-tables.ts';
import { LOG_BILLING_COLUMNS, type LogBillingTables } from './log-billing-tables.ts';
import { LOST_CARD_COLUMNS, type LostCardTables } from './lost-card-tables.ts';
import { RECEIPT_COLUMNS, type ReceiptTables } from './receipt-tables.ts';
import { REQUEST_COLUMNS, type RequestTables } from './request-tables.ts';
import { SENT_COLUMNS, type SentTables } from './sent-tables.ts';
import { SERVE_COLUMNS, type ServeTables } from './serve-tables.ts';
import { SUBSCRIPTION_COLUMNS, type SubscriptionTables } from './subscription-tables.ts';
import { USER_COLUMNS, type UserTables } from './user-tables.ts';

/** The head-end's database. Times are seconds since 1970. */
export type HeadendTables = RequestTables &
  ServeTables &
  LedgerTables &
  ReceiptTables &
  SentTables &
  InvoiceTables &
  CreditTables &
  DisputeTables &
  SubscriptionTables &
  UserTables &
  LogBillingTables &
  LostCardTables;

type Rows = { [T in keyof HeadendTables]: Selectable<HeadendTables[T]> };
type ColumnsOf<V, R = Rows[keyof Rows]> = R extends unknown
  ? { [C in keyof R]: NonNullable<R[C]> extends V ? C : never }[keyof R]
  : never;

/** Integer columns that are numbers or booleans here, in whatever table; all others are amounts, and stay bigints. */
export const HEADEND_COLUMNS: { readonly [C in ColumnsOf<number>]: 'number' } & {
  readonly [C in ColumnsOf<boolean>]: 'boolean';
} = {
  ...REQUEST_COLUMNS,
  ...SERVE_COLUMNS,
  ...LEDGER_COLUMNS,
  ...RECEIPT_COLUMNS,
  ...SENT_COLUMNS,
  ...INVOICE_COLUMNS,
  ...CREDIT_COLUMNS,
  ...DISPUTE_COLUMNS,
  ...SUBSCRIPTION_COLUMNS,
  ...USER_COLUMNS,
  ...LOG_BILLING_COLUMNS,
  ...LOST_CARD_COLUMNS,
};
