import { amountOf, ticksOf } from '../../../apdu/decode-module/money/tariff.ts';
import type { Currency } from '../../money/currency.ts';
import type { Charges, ChargeTerms } from './charge-terms.ts';
import { type ChargingEntry, endOf, secondsOf, startOf } from './charging-entry.ts';
import { applyScheme } from './schemes/known-schemes.ts';

/** What one component of the price comes to. */
export interface BillItem extends ChargeTerms {
  /** Charge times fee, micro-units. A price per period is owed once for the period, and is 0 here. */
  readonly charge: bigint;
}

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
  readonly items: readonly BillItem[];
  /** Left out where it is free. */
  readonly currency?: Currency;
  /** Micro-units: what all items come to. Where the card pays, its receipts must come to that. */
  readonly charge: bigint;
  /** Micro-units that the user is to pay by invoice. */
  readonly amount: bigint;
}

/**
 * Multiplies charge and fee in whole micro-units, rounded up once, as a card does (protocol 7.1).
 * @param seconds of connection.
 * @param octets sent meanwhile.
 */
export function computeCharge({ tariff, period }: ChargeTerms, seconds: number, octets: bigint): bigint {
  if (seconds === 0 || period !== undefined) return 0n;
  return amountOf(ticksOf(tariff, Number(octets), seconds * 1000, true));
}

/** @param octets that the session sent between start and end of the connection. */
export function makeBill(entry: ChargingEntry, octets = 0n): Bill {
  const { id, user, session, service, charges } = entry;
  const connection = { user, session, service, from: startOf(entry), to: endOf(entry), seconds: secondsOf(entry) };
  return billConnection(id, { ...connection, octets }, charges);
}

/** What a user was connected to. */
type Connection = Pick<Bill, 'user' | 'session' | 'service' | 'from' | 'to' | 'seconds' | 'octets'>;

/** @param entryId by which the bill is known: the same again is the same bill. */
export function billConnection(entryId: number, connection: Connection, charges: Charges): Bill {
  const { seconds, octets } = connection;
  const items = charges.terms.map((terms) => {
    const charge = computeCharge(terms, seconds, octets);
    const { scheme, tariff } = terms;
    return { ...terms, charge: scheme === undefined ? charge : applyScheme(scheme, { ...connection, tariff, charge }) };
  });
  const owed = items.filter(({ payer, settlement }) => payer === 'user' && settlement === 'invoice');
  return {
    entryId,
    ...connection,
    items,
    ...(charges.currency !== undefined && { currency: charges.currency }),
    charge: sumOf(items),
    amount: sumOf(owed),
  };
}

function sumOf(items: readonly BillItem[]): bigint {
  return items.reduce((sum, { charge }) => sum + charge, 0n);
}
