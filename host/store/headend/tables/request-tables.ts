/** What was asked and what became of it; written before a key leaves, and never changed. */
export interface RequestLogTable {
  readonly id: number;
  /** Seconds since 1970. */
  readonly at: number;
  /** The client: 8 octets in hexadecimal, as in all these tables. */
  readonly cardId: string;
  /** Kind of request; or what ended a join without one. */
  readonly kind: string;
  readonly service: number;
  /** Null where the request named none that is sold. */
  readonly session: string | null;
  /** The segment that its keys open first. */
  readonly segmentId: number | null;
  readonly timeFrom: number;
  readonly timeTo: number | null;
  /** 16 hexadecimal digits. */
  readonly requestId: string | null;
  /** Outcome of the answer, or code of the problem. */
  readonly outcome: string;
}

/** Requests that would still be answered, and their replies: the same request gets the same. */
export interface AnsweredRequestTable {
  /** Of its row in the log. */
  readonly logId: number;
  readonly cardId: string;
  readonly requestId: string;
  /** Tag of the request, which tells it from every other one of the card. */
  readonly tag: string;
  readonly timeFrom: number;
  /** JSON as it was sent. */
  readonly reply: string;
}

/** The last number of each card that ever left, protocol 4.4 step 4; of members their own rows have it. */
export interface CardNumberTable {
  readonly cardId: string;
  /** u32. */
  readonly lastNumber: number;
}

/** The list of requesters. */
export interface MemberTable {
  /** Of its charging entry. */
  readonly entryId: number;
  readonly cardId: string;
  readonly session: string;
  readonly service: number;
  readonly sessionHash: string;
  readonly state: string;
  readonly timeFrom: number;
  readonly timeTo: number;
  /** Of its last grant. */
  readonly number: number;
  /** Whether the card confirmed that grant. */
  readonly isConfirmed: boolean;
  readonly confirmBy: number | null;
  /** Seconds. */
  readonly keepAlive: number | null;
  readonly aliveUntil: number | null;
}

/** What is charged to whom: as many rows as there are joins that are not billed yet. */
export interface ChargingEntryTable {
  readonly id: number;
  readonly user: string;
  readonly session: string;
  readonly service: number;
  /** JSON: components of the price. */
  readonly terms: string;
  /** ISO 4217 number; null where it is free. */
  readonly currency: number | null;
  /** JSON: from, to and since of each part. */
  readonly parts: string;
  /** Octets that the session had sent at start and end, where octets are charged. */
  readonly firstReading: bigint | null;
  readonly lastReading: bigint | null;
  readonly closedAt: number | null;
}

/** What entries came to. Amounts in micro-units. */
export interface BillTable {
  readonly entryId: number;
  readonly user: string;
  readonly session: string;
  readonly service: number;
  readonly timeFrom: number;
  readonly timeTo: number;
  readonly seconds: number;
  readonly octets: bigint;
  /** JSON: components of the price, and what each comes to. */
  readonly items: string;
  readonly currency: number | null;
  readonly charge: bigint;
  readonly amount: bigint;
  /** A bill of an entry that is transferred periodically grows until the entry is closed. */
  readonly isClosed: boolean;
}

/** Cards that get no answer here. */
export interface BlockedCardTable {
  readonly cardId: string;
  readonly at: number;
}

export type RequestTables = {
  readonly requestLog: RequestLogTable;
  readonly answeredRequest: AnsweredRequestTable;
  readonly cardNumber: CardNumberTable;
  readonly member: MemberTable;
  readonly chargingEntry: ChargingEntryTable;
  readonly bill: BillTable;
  readonly blockedCard: BlockedCardTable;
};

/** Integer columns of these tables that are numbers or booleans. */
export const REQUEST_COLUMNS = {
  id: 'number',
  logId: 'number',
  at: 'number',
  service: 'number',
  segmentId: 'number',
  timeFrom: 'number',
  timeTo: 'number',
  lastNumber: 'number',
  number: 'number',
  isConfirmed: 'boolean',
  confirmBy: 'number',
  keepAlive: 'number',
  aliveUntil: 'number',
  entryId: 'number',
  currency: 'number',
  closedAt: 'number',
  seconds: 'number',
  isClosed: 'boolean',
} as const;
