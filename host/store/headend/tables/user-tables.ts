/** Somebody who uses cards, as far as an operator wrote it down. */
export interface UserTable {
  /** As in its account `user:NAME`. */
  readonly name: string;
  /** What the person is called. */
  readonly person: string | null;
  readonly contact: string | null;
  /** Lines, as they stand on an invoice. */
  readonly address: string | null;
  readonly addedAt: number;
}

/** Who used a card in [since, until); who uses one that has no row for a time is the card itself. */
export interface CardUserTable {
  /** 8 octets in hexadecimal. */
  readonly cardId: string;
  readonly since: number;
  /** Null while it lasts. */
  readonly until: number | null;
  readonly user: string;
}

/** A user that is erased by the transaction that runs; no other transaction sees a row. */
export interface ErasingTable {
  readonly user: string;
  readonly pseudonym: string;
}

/** A user that was erased. */
export interface ErasureTable {
  /** What stands for its name. */
  readonly pseudonym: string;
  readonly at: number;
  /** Whether no octet of what was erased is in the file any more. */
  readonly isOverwritten: boolean;
}

export type UserTables = {
  readonly erasing: ErasingTable;
  readonly erasure: ErasureTable;
  readonly user: UserTable;
  readonly cardUser: CardUserTable;
};

/** Integer columns of these tables that are numbers or booleans. */
export const USER_COLUMNS = {
  addedAt: 'number',
  since: 'number',
  until: 'number',
  at: 'number',
  isOverwritten: 'boolean',
} as const;
