import type { Values } from '../../layout/field-table.ts';
import { KEY_MESSAGE_HEADER } from '../../layout/keys.ts';
import { CONFIRM } from '../../layout/requests.ts';
import type { AesCbc, CbcFactory } from '../keys/aes-cbc.ts';
import { KIND } from '../kinds.ts';
import { openMessage, sealMessage } from '../signed-message.ts';

/** A card's statement that it took a message under its unique key; `firmware-notes/protocol.md` 4.5. */
export interface Confirm extends Values<typeof CONFIRM> {}

/**
 * Makes the confirm of a message.
 * @param cardId 8 octets.
 * @param message the key message, whole.
 * @param mac of the uplink key.
 */
export function signConfirm(cardId: Uint8Array, message: Uint8Array, mac: AesCbc): Uint8Array {
  const { service, keyId, number, from, to } = KEY_MESSAGE_HEADER.read(message);
  return sealMessage(CONFIRM, KIND.confirm, { cardId, service, keyId, number, from, to }, mac);
}

/**
 * Reads the confirm of a card whose key is known.
 * @param uplinkKey of the card, 16 octets.
 * @throws FormatError when it is not a confirm, ForgedError when its tag is wrong.
 */
export function openConfirm(octets: Uint8Array, uplinkKey: Uint8Array, makeCipher?: CbcFactory): Confirm {
  return openMessage(CONFIRM, KIND.confirm, octets, uplinkKey, makeCipher);
}
