import { RECEIPT_RING } from '../../../apdu/decode-module/money/receipt.ts';
import { FormatError } from '../../../apdu/errors.ts';
import { RECEIPT } from '../../../apdu/layout/money.ts';

/** Octets that a delivery has at most: all that a card keeps. */
export const MAX_RECEIPT_LIST = RECEIPT_RING * RECEIPT.length;

/**
 * Cuts a delivery into the receipts that it is made of, as the cards signed them, one behind the other.
 * @throws FormatError when it is not 1 to 32 receipts long.
 */
export function splitReceipts(octets: Uint8Array): Uint8Array[] {
  const count = octets.length / RECEIPT.length;
  if (!Number.isInteger(count) || count < 1 || count > RECEIPT_RING) {
    throw new FormatError(
      `${octets.length} octets are not 1 to ${RECEIPT_RING} receipts; send them as the card made them`,
    );
  }
  return Array.from({ length: count }, (_none, i) => octets.subarray(i * RECEIPT.length, (i + 1) * RECEIPT.length));
}
