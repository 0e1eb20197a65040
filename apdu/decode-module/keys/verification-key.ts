import { FormatError, OutOfRangeError } from '../../errors.ts';
import { VERIFICATION_KEY, VERIFICATION_KEY_VALUE } from '../../layout/card.ts';
import type { Values } from '../../layout/field-table.ts';

/** Places of a card for verification keys. */
export const VERIFICATION_PLACES = 4;

/** Whose signatures the bridge trusts, as the issuer put it on the card; `firmware-notes/protocol.md` 3. */
export interface VerificationKey extends Values<typeof VERIFICATION_KEY> {}

/**
 * Makes the value of DGI 0003, 37 octets.
 * @param place 0 to 3.
 * @param key to be put there; without it the place is emptied.
 * @throws OutOfRangeError when place, id or key does not fit.
 */
export function encodeVerificationKey(place: number, key?: VerificationKey): Uint8Array {
  if (key?.id === 0) throw new OutOfRangeError('a verification key has an id from 1 to 4294967295, not 0');
  const { id, key: octets } = key ?? { id: 0, key: new Uint8Array(32) };
  return VERIFICATION_KEY_VALUE.encode({ place, id, key: octets });
}

/** Reads the answer to GET DATA 0103; empty places are left out. @throws FormatError when it is not 144 octets. */
export function parseVerificationKeys(answer: Uint8Array): VerificationKey[] {
  if (answer.length !== VERIFICATION_PLACES * VERIFICATION_KEY.length) {
    throw new FormatError(`${answer.length} octets are not the verification keys of a card; the card is faulty`);
  }
  return Array.from({ length: VERIFICATION_PLACES }, (_, place) =>
    VERIFICATION_KEY.read(answer, place * VERIFICATION_KEY.length),
  ).filter(({ id }) => id !== 0);
}
