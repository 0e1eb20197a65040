import type { TariffKind } from '../../../../apdu/decode-module/money/tariff.ts';

/** A content key under which something was sent, and what cards take under it. */
export interface SentKeyTable {
  readonly service: number;
  readonly keyId: number;
  /** As `formatSession` writes it. */
  readonly session: string;
  readonly segment: number;
  readonly tariff: TariffKind;
  /** Micro-units. */
  readonly price: bigint;
  /** ISO 4217 number; null where it is free. */
  readonly currency: number | null;
}

/** What was sent under a content key in one second of media time. */
export interface SentSecondTable {
  readonly service: number;
  /** Seconds since 1970. */
  readonly second: number;
  readonly keyId: number;
  readonly octets: bigint;
  /** ms. */
  readonly duration: bigint;
  readonly groups: number;
}

/**
 * The most that a stream can have sent in each second of media time [from, to] beside what is written down. It is gone
 * when the stream ends, and stays when its sender dies.
 */
export interface SentBoundTable {
  readonly service: number;
  readonly ssrc: number;
  readonly timeFrom: number;
  readonly timeTo: number;
  readonly octets: bigint;
  /** ms. */
  readonly duration: bigint;
  readonly groups: number;
}

/** One row: up to when the journal was shortened, and when. */
export interface SentForgottenTable {
  readonly id: number;
  readonly before: number;
  readonly forgottenAt: number;
}

export type SentTables = {
  readonly sentForgotten: SentForgottenTable;
  readonly sentKey: SentKeyTable;
  readonly sentSecond: SentSecondTable;
  readonly sentBound: SentBoundTable;
};

/** Integer columns of these tables that are numbers. */
export const SENT_COLUMNS = {
  id: 'number',
  before: 'number',
  forgottenAt: 'number',
  service: 'number',
  keyId: 'number',
  segment: 'number',
  currency: 'number',
  second: 'number',
  groups: 'number',
  ssrc: 'number',
  timeFrom: 'number',
  timeTo: 'number',
} as const;
