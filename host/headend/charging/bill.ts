import { amountOf, ticksOf } from '../../../apdu/decode-module/money/tariff.ts';
import type { ChargeTerms } from './charge-terms.ts';
import { type ChargingEntry, endOf, secondsOf, startOf } from './charging-entry.ts';

/** What a closed entry comes to. */
export interface Bill {
  /** Of the entry: the same entry makes the same bill, however often it is forwarded. */
  readonly entryId: number;
  readonly user: string;
  readonly session: string;
  readonly service: number;
  /** Seconds since 1970: connected in [from, to). */
  readonly from: number;
  readonly to: number;
  readonly seconds: number;
  /** Octets that the session sent meanwhile, where these are charged. */
  readonly octets: bigint;
  readonly terms: ChargeTerms;
  /** Charge times fee, micro-units: what is owed, or where the card pays what its receipts must come to. */
  readonly charge: bigint;
  /** Micro-units to be paid by invoice; 0 where the card pays. */
  readonly amount: bigint;
}

/**
 * Multiplies charge and fee in whole micro-units, rounded up once, as a card does (protocol 7.1).
 * @param seconds of connection.
 * @param octets sent meanwhile.
 */
export function computeCharge({ tariff }: ChargeTerms, seconds: number, octets: bigint): bigint {
  if (seconds === 0) return 0n;
  return amountOf(ticksOf(tariff, Number(octets), seconds * 1000, true));
}

/** @param octets that the session sent between start and end of the connection. */
export function makeBill(entry: ChargingEntry, octets = 0n): Bill {
  const { id, user, session, service, terms } = entry;
  const seconds = secondsOf(entry);
  const charge = computeCharge(terms, seconds, octets);
  return {
    entryId: id,
    user,
    session,
    service,
    from: startOf(entry),
    to: endOf(entry),
    seconds,
    octets,
    terms,
    charge,
    amount: terms.settlement === 'invoice' ? charge : 0n,
  };
}
