import type { Receipt } from '../../../apdu/decode-module/money/receipt.ts';
import { toHex } from '../../../apdu/octets.ts';
import type { StoreChange } from '../../store/group-writer.ts';
import { postChanges } from '../ledger/ledger-rows.ts';
import { makeReceiptEntry } from '../ledger/make-entries.ts';

/** Enters in the ledger what a card took from its purse. @param cardId 8 octets. */
export function postReceipt(cardId: Uint8Array, receipt: Receipt): readonly StoreChange[] {
  const { number, service, amount, torn, currency, to } = receipt;
  const card = toHex(cardId);
  return postChanges(
    makeReceiptEntry({ torn, source: `${card}:${number}`, at: to, cardId: card, service, amount, currency }),
  );
}
