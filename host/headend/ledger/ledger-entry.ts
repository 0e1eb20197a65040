import type { LedgerAccount } from './ledger-account.ts';

/** Which events have entries. */
export type LedgerEvent =
  /** A charging entry was billed, by invoice. */
  | 'charge'
  /** A card delivered a receipt of what it took from its purse. */
  | 'receipt'
  /** A card was loaded, for money or on credit. */
  | 'load'
  /** A user paid. */
  | 'payment'
  /** Something is given back: to a user, or with a load to a card. */
  | 'refund'
  /** What a user owes is given up. */
  | 'write-off'
  /** A part of a service's revenue is another operator's. */
  | 'settlement'
  /** The balance of a lost card goes to its user's new one. */
  | 'move'
  /** Tax of an invoice. */
  | 'tax'
  /** A price per period. */
  | 'period-fee'
  /** An earlier entry is taken back. */
  | 'correction';

/** The amount stands on the left side of one account and on the right side of another: every line balances. */
export interface LedgerLine {
  readonly debit: LedgerAccount;
  readonly credit: LedgerAccount;
  /** ISO 4217 number. */
  readonly currency: number;
  /** Micro-units, above 0. */
  readonly amount: bigint;
}

/** What one event does to the accounts. */
export interface LedgerEntry {
  readonly kind: LedgerEvent;
  /** Which event: together with the kind it is entered once, however often it comes. */
  readonly source: string;
  /** When it was, seconds since 1970. */
  readonly at: number;
  readonly lines: readonly LedgerLine[];
  /** Why, in an operator's words. */
  readonly note?: string;
}
