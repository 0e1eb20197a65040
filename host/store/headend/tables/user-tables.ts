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

export type UserTables = {
  readonly user: UserTable;
  readonly cardUser: CardUserTable;
};

/** Integer columns of these tables that are numbers. */
export const USER_COLUMNS = { addedAt: 'number', since: 'number', until: 'number' } as const;
