import type { Tariff } from '../../../../apdu/decode-module/money/tariff.ts';

/** A component of a closed entry: what it was joined for, and what the offer said it costs. */
export interface ClosedEntry {
  readonly user: string;
  readonly session: string;
  readonly service: number;
  /** Seconds since 1970: connected in [from, to). */
  readonly from: number;
  readonly to: number;
  readonly seconds: number;
  /** Octets that the session sent meanwhile, where these are charged. */
  readonly octets: bigint;
  readonly tariff: Tariff;
  /** Charge times fee, micro-units. */
  readonly charge: bigint;
}

/**
 * Says what is billed for a closed entry, in micro-units. It is a pure function: the same entry is billed the same.
 * Nobody pays more than the offer said, so that what is above `charge` or below 0 is billed as these.
 */
export type ChargingScheme = (entry: ClosedEntry) => bigint;
