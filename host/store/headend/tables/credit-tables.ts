import type { Generated } from 'kysely';

/** Something that a card may fetch once. Amounts in micro-units. */
export interface CreditTable {
  readonly id: Generated<number>;
  /** A load that was paid at the cash desk, a voucher, what a lost card left, or a line of credit. */
  readonly kind: 'cash' | 'voucher' | 'moved' | 'credit limit';
  /** What its operator calls it, once for all grants; null where nobody named it. */
  readonly name: string | null;
  /** SHA-256 of the code of a voucher. */
  readonly codeHash: Uint8Array | null;
  /** Whose it is, 8 octets in hexadecimal; of a voucher null until a card has claimed it. */
  readonly cardId: string | null;
  /** The lost card that left it. */
  readonly fromCard: string | null;
  readonly amount: bigint;
  /** ISO 4217 number. */
  readonly currency: number;
  readonly madeAt: number;
  /** The operator. */
  readonly madeBy: string;
  /** Key of the request that claimed it. */
  readonly claimKey: string | null;
  /** Load id of the one order that carries it out, 8 random octets; null until it is claimed. */
  readonly loadId: Uint8Array | null;
  readonly claimedAt: number | null;
  /** Whether the card has proved that order. */
  readonly isSettled: boolean;
}

/** Vouchers that were made together. Their codes follow from the salt and a master that is not here. */
export interface VoucherBatchTable {
  /** What its operator calls it. */
  readonly name: string;
  readonly count: number;
  /** Of each, micro-units. */
  readonly amount: bigint;
  /** ISO 4217 number. */
  readonly currency: number;
  /** 16 random octets. */
  readonly salt: Uint8Array;
  readonly madeAt: number;
}

export type CreditTables = {
  readonly credit: CreditTable;
  readonly voucherBatch: VoucherBatchTable;
};

/** Integer columns of these tables that are numbers or booleans. */
export const CREDIT_COLUMNS = {
  id: 'number',
  currency: 'number',
  madeAt: 'number',
  claimedAt: 'number',
  isSettled: 'boolean',
  count: 'number',
} as const;
