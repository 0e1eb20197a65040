import { OutOfRangeError } from '../../errors.ts';
import { writeUint } from '../../octets.ts';
import { AesCbc } from '../keys/aes-cbc.ts';
import { CARD_ID_LENGTH } from '../card-id.ts';
import { KIND } from '../kinds.ts';
import { signMessage } from '../requests/signed-message.ts';

export const ACKNOWLEDGEMENT_LENGTH = 32;

/**
 * The issuer's word that it has every receipt up to a number; `firmware-notes/protocol.md` 7.6.
 * @param cardId 8 octets.
 * @param upTo number of the last receipt of them, u32.
 * @param acknowledgementKey of the card, 16 octets.
 * @throws OutOfRangeError when card id or number do not fit.
 */
export function signAcknowledgement(cardId: Uint8Array, upTo: number, acknowledgementKey: Uint8Array): Uint8Array {
  if (cardId.length !== CARD_ID_LENGTH) throw new OutOfRangeError('a card id has 8 octets');
  if (!Number.isInteger(upTo) || upTo < 0 || upTo > 0xffff_ffff) {
    throw new OutOfRangeError(`receipts are numbered from 1 to 4294967295, not ${upTo}`);
  }
  const octets = new Uint8Array(ACKNOWLEDGEMENT_LENGTH);
  octets.set(cardId, 4);
  writeUint(octets, 12, 4, upTo);
  return signMessage(octets, KIND.acknowledgement, new AesCbc(acknowledgementKey));
}
