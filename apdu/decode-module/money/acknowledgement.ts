import { ACKNOWLEDGEMENT } from '../../layout/money.ts';
import { AesCbc } from '../keys/aes-cbc.ts';
import { KIND } from '../kinds.ts';
import { sealMessage } from '../signed-message.ts';

/**
 * Makes the issuer's statement that it has every receipt up to a number; `firmware-notes/protocol.md` 7.6.
 * @param cardId 8 octets.
 * @param upTo number of the last receipt of them, u32.
 * @param acknowledgementKey of the card, 16 octets.
 * @throws OutOfRangeError when card id or number do not fit.
 */
export function signAcknowledgement(cardId: Uint8Array, upTo: number, acknowledgementKey: Uint8Array): Uint8Array {
  return sealMessage(ACKNOWLEDGEMENT, KIND.acknowledgement, { cardId, upTo }, new AesCbc(acknowledgementKey));
}
