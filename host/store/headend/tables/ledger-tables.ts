import type { Generated } from 'kysely';

/** One event, entered once: never changed, never deleted. */
export interface LedgerEntryTable {
  readonly id: Generated<number>;
  /** What kind of event. */
  readonly kind: string;
  /** Which event of this kind: the same one is entered once. */
  readonly source: string;
  /** When it was, seconds since 1970. */
  readonly at: number;
  /** Month that it is entered in, `2026-11`: that of `at`, or the first one that was still open. */
  readonly period: string;
  /** How many lines it has. */
  readonly lines: number;
  /** Why, in an operator's words. */
  readonly note: string | null;
}

/** One line: the amount stands on the left side of one account and on the right side of another. */
export interface LedgerPostingTable {
  readonly entryId: number;
  /** From 1 on. */
  readonly line: number;
  readonly debit: string;
  readonly credit: string;
  /** ISO 4217 number. */
  readonly currency: number;
  /** Micro-units, above 0. */
  readonly amount: bigint;
}

/** Months up to which nothing is entered any more. */
export interface LedgerCloseTable {
  readonly period: string;
  /** The month after. */
  readonly openFrom: string;
  readonly closedAt: number;
}

export type LedgerTables = {
  readonly ledgerEntry: LedgerEntryTable;
  readonly ledgerPosting: LedgerPostingTable;
  readonly ledgerClose: LedgerCloseTable;
};

/** Integer columns of these tables that are numbers. */
export const LEDGER_COLUMNS = {
  id: 'number',
  at: 'number',
  lines: 'number',
  entryId: 'number',
  line: 'number',
  currency: 'number',
  closedAt: 'number',
} as const;
