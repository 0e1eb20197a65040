import type { Tariff } from '../../../apdu/decode-module/money/tariff.ts';
import type { Currency } from '../../money/currency.ts';

/** What the user pays for a session, and how it is settled. */
export interface ChargeTerms {
  /** Free, per hour of connection or per 1,000,000 octets sent meanwhile; flat is per join. */
  readonly tariff: Tariff;
  /** Taken by the card, and the entry is a control figure; or billed from the entry. */
  readonly settlement: 'purse' | 'invoice';
  /** Left out where it is free. */
  readonly currency?: Currency;
}
