import type { Values } from '../../layout/field-table.ts';
import { RECEIPT } from '../../layout/money.ts';
import type { AesCbc } from '../keys/aes-cbc.ts';
import { KIND } from '../kinds.ts';
import { openMessage, parseMessage, sealMessage } from '../signed-message.ts';

/** What a card says one session came to; `firmware-notes/protocol.md` 7.5. Amounts in micro-units. */
export interface Receipt extends Values<typeof RECEIPT> {}

/** Receipts that a card keeps. */
export const RECEIPT_RING = 32;

/** Makes a receipt. @param mac of the receipt key. */
export function signReceipt(receipt: Receipt, mac: AesCbc): Uint8Array {
  return sealMessage(RECEIPT, KIND.receipt, receipt, mac);
}

/**
 * Reads a receipt without asking who made it.
 * @throws FormatError when it is not a receipt.
 */
export function parseReceipt(octets: Uint8Array): Receipt {
  return parseMessage(RECEIPT, KIND.receipt, octets);
}

/**
 * Reads a receipt of a card whose key is known.
 * @param receiptKey of the card, 16 octets.
 * @throws FormatError when it is not a receipt, ForgedError when its tag is wrong.
 */
export function openReceipt(octets: Uint8Array, receiptKey: Uint8Array): Receipt {
  return openMessage(RECEIPT, KIND.receipt, octets, receiptKey);
}
