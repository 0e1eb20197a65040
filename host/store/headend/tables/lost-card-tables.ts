/** A card that was lost for good, and the one that has its place. Amounts in micro-units, null until it is decided. */
export interface LostCardTable {
  /** 8 octets in hexadecimal. */
  readonly cardId: string;
  readonly newCardId: string;
  readonly reportedAt: number;
  /** The operator. */
  readonly reportedBy: string;
  /** When the last of its purchases ends; 0 when it had none. */
  readonly endsAt: number;
  /** From when on its balance is the new card's. */
  readonly dueAt: number;
  readonly decidedAt: number | null;
  /** What the ledger said that it had. */
  readonly balance: bigint | null;
  /** What of it may have been spent without a receipt. */
  readonly held: bigint | null;
  /** What the new card is loaded with. */
  readonly moved: bigint | null;
}

export type LostCardTables = { readonly lostCard: LostCardTable };

/** Integer columns of this table that are numbers. */
export const LOST_CARD_COLUMNS = {
  reportedAt: 'number',
  endsAt: 'number',
  dueAt: 'number',
  decidedAt: 'number',
} as const;
