/** A receipt that a card delivered. Amounts in micro-units. */
export interface ReceiptRowTable {
  /** 8 octets in hexadecimal. */
  readonly cardId: string;
  readonly number: number;
  readonly service: number;
  readonly firstSegment: number;
  readonly lastSegment: number;
  readonly octets: bigint;
  /** ms. */
  readonly duration: bigint;
  readonly groups: number;
  /** Media time of the first and of the last group, seconds since 1970. */
  readonly timeFrom: number;
  readonly timeTo: number;
  readonly amount: bigint;
  readonly torn: bigint;
  /** Counters of the card after it. */
  readonly loaded: bigint;
  readonly spent: bigint;
  /** ISO 4217 number. */
  readonly currency: number;
  /** Whether it was made after a power cut. */
  readonly isTorn: boolean;
  readonly takenAt: number;
  /** The whole receipt, 112 octets. */
  readonly message: Uint8Array;
}

/** What somebody has to look into: kept when it shows, once for each card, kind and receipt. */
export interface SuspicionTable {
  readonly cardId: string;
  readonly kind: string;
  /** Of the receipt that shows it; 0 where none does. */
  readonly number: number;
  readonly at: number;
  /** In words. */
  readonly reason: string;
  /** What the card signed. */
  readonly message: Uint8Array | null;
}

export type ReceiptTables = {
  readonly receipt: ReceiptRowTable;
  readonly suspicion: SuspicionTable;
};

/** Integer columns of these tables that are numbers or booleans. */
export const RECEIPT_COLUMNS = {
  number: 'number',
  service: 'number',
  firstSegment: 'number',
  lastSegment: 'number',
  groups: 'number',
  timeFrom: 'number',
  timeTo: 'number',
  currency: 'number',
  isTorn: 'boolean',
  takenAt: 'number',
  at: 'number',
} as const;
