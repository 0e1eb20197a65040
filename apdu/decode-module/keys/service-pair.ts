import { OutOfRangeError } from '../../errors.ts';
import { KIND } from '../kinds.ts';
import { encodeCeilings } from './ceilings.ts';
import { type KeyMessage, sealKeyMessage } from './key-message.ts';
import { isPrivateHalf } from './p256.ts';
import { type PublicKeySender, sealUnderCardPair } from './public-key-parent.ts';
import type { PurchaseHeader } from './purchase-header.ts';

/** The private half of a service's pair, as one card buys it; `firmware-notes/protocol.md` 4.9. */
export interface ServicePairPurchase extends PurchaseHeader {
  /** 32 octets. */
  readonly privateKey: Uint8Array;
}

/** The card that it goes to, and the key of that card that it goes under. */
export type ServicePairBuyer =
  | { readonly serial: number; readonly downlinkKey: Uint8Array }
  | { readonly serial: number; readonly publicKey: Uint8Array; readonly sender: PublicKeySender };

/**
 * Makes the message that sells the private half of a service's pair to one card.
 * @throws OutOfRangeError when it is not a private half of P-256, or a ceiling is out of its range.
 */
export function sealServicePair(purchase: ServicePairPurchase, buyer: ServicePairBuyer): KeyMessage {
  const { service, keyId, from, to, number, privateKey } = purchase;
  if (!isPrivateHalf(privateKey)) {
    throw new OutOfRangeError('a private half has 32 octets, from 1 to the order of P-256 less 1');
  }
  const body = encodeCeilings(purchase.ceilings);
  const header = { kind: KIND.servicePair, service, keyId, from, to, number } as const;
  if ('publicKey' in buyer) {
    return sealUnderCardPair(header, privateKey, body, buyer.serial, buyer.publicKey, buyer.sender);
  }
  const whole = { ...header, parentKind: KIND.unique, parentId: buyer.serial } as const;
  return sealKeyMessage(whole, privateKey, body, buyer.downlinkKey);
}
