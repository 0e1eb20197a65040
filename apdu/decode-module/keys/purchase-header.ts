import type { Ceilings } from './ceilings.ts';
import type { KeyMessageHeader } from './key-message.ts';

/** What every purchase says. The number of a purchase of slots is that of its part 0; the other parts count on. */
export interface PurchaseHeader extends Pick<KeyMessageHeader, 'service' | 'keyId' | 'from' | 'to' | 'number'> {
  readonly ceilings: Ceilings;
}
