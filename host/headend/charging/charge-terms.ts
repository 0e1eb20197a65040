import type { Tariff } from '../../../apdu/decode-module/money/tariff.ts';
import type { Currency } from '../../money/currency.ts';

/** One component of a price: who pays it, by what it is reckoned, and how it is settled. */
export interface ChargeTerms {
  /** What is watched, or that it is brought. */
  readonly part: 'content' | 'delivery';
  readonly payer: 'user' | 'provider';
  /** Per hour of connection or per 1,000,000 octets sent meanwhile; flat is per join, or per period. */
  readonly tariff: Tariff;
  /** Seconds of a period, where the flat price is for one, however often it is joined. */
  readonly period?: number;
  /** Taken by the card, and the entry is a control figure; or billed from the entry. */
  readonly settlement: 'purse' | 'invoice';
  /** Name of the scheme that says what of the charge is billed; by invoice alone. */
  readonly scheme?: string;
}

/** What a session costs. */
export interface Charges {
  /** None where it is free; one for content, one for delivery. */
  readonly terms: readonly ChargeTerms[];
  /** Of all prices; left out where it is free. */
  readonly currency?: Currency;
}

export const FREE_OF_CHARGE: Charges = { terms: [] };

/** Whether octets that are sent count. */
export function countsOctets({ terms }: Charges): boolean {
  return terms.some(({ tariff }) => tariff.kind === 'octets');
}

/** Whether both cost the same, by the same parts. */
export function isSameCharges(a: Charges, b: Charges): boolean {
  return (
    a.currency?.number === b.currency?.number &&
    a.terms.length === b.terms.length &&
    a.terms.every((one, i) => isSameTerms(one, b.terms[i]!))
  );
}

function isSameTerms(a: ChargeTerms, b: ChargeTerms): boolean {
  return (
    a.part === b.part &&
    a.payer === b.payer &&
    a.settlement === b.settlement &&
    a.period === b.period &&
    a.scheme === b.scheme &&
    a.tariff.kind === b.tariff.kind &&
    a.tariff.price === b.tariff.price
  );
}
