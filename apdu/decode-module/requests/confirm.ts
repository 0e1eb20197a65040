import { readUint } from '../../octets.ts';
import type { AesCbc } from '../keys/aes-cbc.ts';
import { KIND } from '../kinds.ts';
import { requireSigned, signMessage } from './signed-message.ts';

/** A card's word that it took a message under its unique key; `firmware-notes/protocol.md` 4.5. */
export interface Confirm {
  /** 8 octets. */
  readonly cardId: Uint8Array;
  /** These as in the message. */
  readonly service: number;
  readonly keyId: number;
  readonly number: number;
  readonly from: number;
  readonly to: number;
}

const CONFIRM_LENGTH = 48;

/**
 * @param cardId 8 octets.
 * @param message the key message.
 * @param mac of the uplink key.
 */
export function signConfirm(cardId: Uint8Array, message: Uint8Array, mac: AesCbc): Uint8Array {
  const octets = new Uint8Array(CONFIRM_LENGTH);
  octets.set(cardId, 4);
  octets.set(message.subarray(4, 12), 12);
  octets.set(message.subarray(20, 24), 20);
  octets.set(message.subarray(12, 20), 24);
  return signMessage(octets, KIND.confirm, mac);
}

/**
 * @param uplinkKey of the card, 16 octets.
 * @throws FormatError, ForgedError.
 */
export function openConfirm(octets: Uint8Array, uplinkKey: Uint8Array): Confirm {
  requireSigned(octets, KIND.confirm, CONFIRM_LENGTH, uplinkKey, 'confirm');
  return {
    cardId: octets.slice(4, 12),
    service: readUint(octets, 12, 4),
    keyId: readUint(octets, 16, 4),
    number: readUint(octets, 20, 4),
    from: readUint(octets, 24, 4),
    to: readUint(octets, 28, 4),
  };
}
