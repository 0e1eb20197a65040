import { FormatError, OutOfRangeError } from '../../errors.ts';
import { readUint, writeUint } from '../../octets.ts';

/** Places of a card for verification keys. */
export const VERIFICATION_PLACES = 4;
const VERIFICATION_KEY_LENGTH = 32;
/** Id and key, as the card keeps and answers them. */
export const VERIFICATION_ENTRY_LENGTH = 36;

/** Whose signatures the bridge trusts, as the issuer put it on the card; `firmware-notes/protocol.md` 3. */
export interface VerificationKey {
  /** 1 to 2^32 - 1. */
  readonly id: number;
  /** Ed25519 public key, 32 octets. */
  readonly key: Uint8Array;
}

/**
 * DGI 0003, 37 octets.
 * @param place 0 to 3.
 * @param key nothing: empties the place.
 * @throws OutOfRangeError when place, id or key does not fit.
 */
export function encodeVerificationKey(place: number, key?: VerificationKey): Uint8Array {
  if (!Number.isInteger(place) || place < 0 || place >= VERIFICATION_PLACES) {
    throw new OutOfRangeError(
      `there is no place ${place} for a verification key; name 0 to ${VERIFICATION_PLACES - 1}`,
    );
  }
  const value = new Uint8Array(1 + VERIFICATION_ENTRY_LENGTH);
  value[0] = place;
  if (key === undefined) return value;
  if (!Number.isInteger(key.id) || key.id < 1 || key.id > 0xffff_ffff || key.key.length !== VERIFICATION_KEY_LENGTH) {
    throw new OutOfRangeError('a verification key has an id from 1 to 4294967295 and 32 octets');
  }
  writeUint(value, 1, 4, key.id);
  value.set(key.key, 5);
  return value;
}

/** The answer to GET DATA 0103, empty places left out. @throws FormatError when it is none. */
export function parseVerificationKeys(answer: Uint8Array): VerificationKey[] {
  if (answer.length !== VERIFICATION_PLACES * VERIFICATION_ENTRY_LENGTH) {
    throw new FormatError(`${answer.length} octets are not the verification keys of a card; the card is faulty`);
  }
  const keys: VerificationKey[] = [];
  for (let at = 0; at < answer.length; at += VERIFICATION_ENTRY_LENGTH) {
    const id = readUint(answer, at, 4);
    if (id !== 0) keys.push({ id, key: answer.slice(at + 4, at + VERIFICATION_ENTRY_LENGTH) });
  }
  return keys;
}
