import type { Bill } from './bill.ts';

/** Where charges become bills: in this process, or elsewhere. */
export interface BillingPort {
  /**
   * Hands over what an entry comes to, so far or for good. The same entry may come again: the last one counts, and none
   * after the last.
   * @param isClosed whether the entry is closed; it then comes no more once this has resolved.
   * @returns when billing has it on disk.
   */
  forward(bill: Bill, isClosed: boolean): Promise<void>;
}

/** Counts what a session sends. */
export interface SessionMeter {
  /**
   * @param session as `formatSession` writes it.
   * @returns octets that were sent so far: the sum of what the headers of its groups say (protocol 5.1).
   */
  read(session: string): bigint;
}

/**
 * What becomes of an entry: forwarded once it is closed, and deleted when that is confirmed; forwarded again and again
 * while it is open, too; or billed at once, in the transaction that closes it.
 */
export type ChargingMode = 'forward' | 'transfer' | 'direct';
