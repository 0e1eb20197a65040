/** A component of a service that a user pays by the period in [since, until), whether it joins or not. */
export interface SubscriptionTable {
  readonly service: number;
  readonly user: string;
  readonly part: 'content' | 'delivery';
  readonly since: number;
  /** Null while it lasts. */
  readonly until: number | null;
  readonly payer: 'user' | 'provider';
  /** Of the period. */
  readonly seconds: number;
  /** Of one period, micro-units. */
  readonly price: bigint;
  /** ISO 4217 number. */
  readonly currency: number;
}

export type SubscriptionTables = { readonly subscription: SubscriptionTable };

/** Integer columns of this table that are numbers. */
export const SUBSCRIPTION_COLUMNS = {
  service: 'number',
  since: 'number',
  until: 'number',
  seconds: 'number',
  currency: 'number',
} as const;
