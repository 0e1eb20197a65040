import type { Generated } from 'kysely';

/** A service as it is sold now. */
export interface ServiceTable {
  /** u32. */
  readonly number: number;
  /** Its definition, JSON. */
  readonly definition: string;
  /** The definition that the configuration last had, JSON; null when it was made at run time. */
  readonly configured: string | null;
  readonly changedAt: number;
}

/** A multicast session of a service. */
export interface SessionTable {
  readonly id: Generated<number>;
  /** Number of its service. */
  readonly service: number;
  readonly name: string;
  /** User name, session id and address of its SDP origin, one blank between them. */
  readonly origin: string;
}

/** The next id of a kind of key of a service: each is given once. */
export interface KeyCounterTable {
  readonly service: number;
  readonly kind: 'service' | 'segment' | 'content';
  readonly next: number;
}

/** Segment keys, which are derived of their ids; media time [validFrom, validTo). */
export interface SegmentTable {
  readonly service: number;
  /** Key id. */
  readonly keyId: number;
  readonly sessionId: number;
  /** Id of the segment that is sold, which several keys may follow each other in. */
  readonly segment: number;
  readonly validFrom: number;
  readonly validTo: number;
}

/** The service key that all members of a session share. */
export interface SharedKeyTable {
  readonly sessionId: number;
  readonly keyId: number;
}

/** What sessions have sent. */
export interface SessionMeterTable {
  /** As `formatSession` writes it. */
  readonly session: string;
  readonly octets: bigint;
}

/** Who may change what is sold. */
export interface OperatorTable {
  readonly name: string;
  /** SHA-256 of the token. */
  readonly tokenHash: Uint8Array;
  readonly addedAt: number;
}

/** What was changed, when and by whom. */
export interface ChangeTable {
  readonly id: Generated<number>;
  readonly at: number;
  readonly operator: string;
  readonly action: string;
  /** What it was done to. */
  readonly subject: string;
  /** What it is now, JSON; null when it is gone. */
  readonly detail: string | null;
}

/** Offers as they were signed. */
export interface OfferTable {
  /** SHA-256 of the octets, the first 20 in hexadecimal. */
  readonly id: string;
  readonly sessionId: number;
  readonly octets: Uint8Array;
  readonly validFrom: number;
  readonly validTo: number;
}

export type ServeTables = {
  readonly service: ServiceTable;
  readonly session: SessionTable;
  readonly keyCounter: KeyCounterTable;
  readonly segment: SegmentTable;
  readonly sharedKey: SharedKeyTable;
  readonly sessionMeter: SessionMeterTable;
  readonly operator: OperatorTable;
  readonly change: ChangeTable;
  readonly offer: OfferTable;
};

/** Integer columns of these tables that are numbers. */
export const SERVE_COLUMNS = {
  number: 'number',
  changedAt: 'number',
  id: 'number',
  service: 'number',
  sessionId: 'number',
  next: 'number',
  keyId: 'number',
  segment: 'number',
  validFrom: 'number',
  validTo: 'number',
  addedAt: 'number',
  at: 'number',
} as const;
