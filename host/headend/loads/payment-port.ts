/** What was paid for, and is the card's now. Amounts in micro-units. */
export interface Claim {
  /** Of its record. */
  readonly id: number;
  readonly kind: 'load' | 'credit limit';
  /** To be loaded; or the new credit limit. */
  readonly amount: bigint;
  /** ISO 4217 number. */
  readonly currency: number;
  /** Key of the request that claimed it. */
  readonly key: string;
  /** Load id of the one order that carries it out, 8 octets. */
  readonly loadId: Uint8Array;
}

/** A card that wants what was paid for it. */
export interface Claimant {
  /** 8 octets in hexadecimal; its request was authentic. */
  readonly cardId: string;
  /** ISO 4217 number. */
  readonly currency: number;
  /** Of the request: the same one claims the same. */
  readonly key: string;
  /** A code, as it was typed; undefined for what was paid at the desk. */
  readonly voucher: string | undefined;
}

export type ClaimRefusal = 'nothing-paid' | 'wrong-voucher' | 'wrong-currency';

/** How payment is known. It is on disk when a promise resolves, and no two cards claim the same. */
export interface PaymentPort {
  /** The same claim again is the same, also after a restart, until it is settled. */
  claim(claimant: Claimant): Promise<Claim | ClaimRefusal>;
  /** The card has proved the order of a claim. */
  settle(claim: Pick<Claim, 'id'>): Promise<void>;
}
