import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { RECEIPT_RING } from '../../../apdu/decode-module/money/receipt.ts';
import { isSignedMessage } from '../../../apdu/decode-module/signed-message.ts';
import { ACKNOWLEDGEMENT, RECEIPT } from '../../../apdu/layout/money.ts';
import { equalTags, readUint } from '../../../apdu/octets.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import { refuse } from '../refusal.ts';
import type { PurseMemory } from './purse-memory.ts';

/**
 * GET RECEIPT (protocol 7.5).
 * @param data a number u32, or nothing for the oldest receipt that is not acknowledged.
 * @throws Refusal 6A82
 */
export function getReceipt(purse: PurseMemory, data: Uint8Array): Uint8Array {
  const { receiptsWritten, receiptsAcknowledged } = purse.record;
  const number = data.length === 0 ? receiptsAcknowledged + 1 : readUint(data, 0, 4);
  if (number === 0 || number > receiptsWritten || number + RECEIPT_RING <= receiptsWritten) refuse(STATUS.NOT_FOUND);
  return purse.receipt(number).slice();
}

/** The newest receipt, or nothing if there never was one. */
export function newestReceipt(purse: PurseMemory): Uint8Array {
  const { receiptsWritten } = purse.record;
  return receiptsWritten === 0 ? new Uint8Array(0) : purse.receipt(receiptsWritten).slice();
}

/** ACKNOWLEDGE RECEIPTS (protocol 7.6). @throws Refusal */
export function acknowledgeReceipts({ purse, keys, cardId }: PersistentState, message: Uint8Array): void {
  const { record } = purse;
  if (!isSignedMessage(ACKNOWLEDGEMENT, KIND.acknowledgement, message, keys.acknowledgement)) refuse(STATUS.CRYPTO);
  if (!equalTags(ACKNOWLEDGEMENT.view(message, 'cardId'), cardId)) refuse(STATUS.BAD_FIELD);
  const upTo = ACKNOWLEDGEMENT.readUint(message, 'upTo');
  if (upTo > record.receiptsWritten) refuse(STATUS.BAD_FIELD);
  if (upTo <= record.receiptsAcknowledged) return;
  let { unacknowledged } = record;
  for (let number = record.receiptsAcknowledged + 1; number <= upTo; number++) {
    const receipt = purse.receipt(number);
    unacknowledged -= RECEIPT.readUint(receipt, 'amount') + RECEIPT.readUint(receipt, 'torn');
  }
  purse.changeRecord({ receiptsAcknowledged: upTo, unacknowledged });
}
