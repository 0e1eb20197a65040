import type { Generated } from 'kysely';

/** Somebody disputes an entry of the ledger. */
export interface DisputeTable {
  readonly id: Generated<number>;
  readonly entryId: number;
  readonly openedAt: number;
  /** The operator. */
  readonly openedBy: string;
  readonly reason: string;
}

/** How a dispute was ruled; one without a row is open. */
export interface DisputeRulingTable {
  readonly disputeId: number;
  readonly ruling: 'upheld' | 'rejected';
  readonly ruledAt: number;
  /** The operator. */
  readonly ruledBy: string;
  readonly rulingNote: string;
  /** Entry that gives it back; null where it was rejected. */
  readonly givenBy: number | null;
}

export type DisputeTables = {
  readonly dispute: DisputeTable;
  readonly disputeRuling: DisputeRulingTable;
};

/** Integer columns of these tables that are numbers. */
export const DISPUTE_COLUMNS = {
  id: 'number',
  entryId: 'number',
  openedAt: 'number',
  disputeId: 'number',
  ruledAt: 'number',
  givenBy: 'number',
} as const;
