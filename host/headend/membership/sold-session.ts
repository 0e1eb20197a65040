import type { ModuleClass } from '../../../apdu/decode-module/card-id.ts';
import type { SlotGrid } from '../../contract/offer/offer.ts';
import type { Charges } from '../charging/charge-terms.ts';

/** A session as it is sold under one offer. */
export interface SoldSession {
  /** Its identity, as `formatSession` writes it. */
  readonly session: string;
  /** u32. */
  readonly service: number;
  /** The first 20 octets of the offer's hash, in hexadecimal. */
  readonly sessionHash: string;
  readonly charges: Charges;
  /** Whether what is owed follows from the log of requests alone; there is no list of its members then. */
  readonly isBilledByLog?: boolean;
  /** Seconds since 1970: joins and extensions under the offer are answered in [from, to). */
  readonly from: number;
  readonly to: number;
  /** Where time is sold by slots. */
  readonly slots?: SlotGrid;
  /** Classes of modules that may play. */
  readonly classes: readonly ModuleClass[];
  /** Seconds within which a card must confirm its key; then it is off the list. */
  readonly confirmTimeout: number;
  /** Seconds after which a member that was not heard of is dropped; left out where nobody is. */
  readonly keepAlive?: number;
}
