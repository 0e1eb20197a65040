import { FormatError, OutOfRangeError, TollcastError } from '../../errors.ts';
import { equalTags, readUint, writeUint } from '../../octets.ts';
import { AesCbc } from '../keys/aes-cbc.ts';
import { MESSAGE_VERSION } from '../kinds.ts';

/** Octets of the tag that ends loads, receipts and acknowledgements. */
const SIGNED_TAG = 16;

/** A message whose tag does not fit: forged, damaged, or made with another key. */
export class ForgedError extends TollcastError {
  override readonly name = 'ForgedError';

  constructor(what: string) {
    super('FORGED', `the tag of this ${what} is wrong; drop it, and check that it is of this card and these keys`);
  }
}

/** Writes kind, version and length in front and the tag behind; `firmware-notes/protocol.md` 1.1. */
export function signMessage(octets: Uint8Array, kind: number, mac: AesCbc): Uint8Array {
  octets[0] = kind;
  octets[1] = MESSAGE_VERSION;
  writeUint(octets, 2, 2, octets.length);
  const tagAt = octets.length - SIGNED_TAG;
  octets.set(mac.mac(octets.subarray(0, tagAt)), tagAt);
  return octets;
}

/** Whether kind, version, length field and tag are right. */
export function isSignedMessage(octets: Uint8Array, kind: number, length: number, mac: AesCbc): boolean {
  const tagAt = length - SIGNED_TAG;
  return isMessage(octets, kind, length) && equalTags(mac.mac(octets.subarray(0, tagAt)), octets.subarray(tagAt));
}

/** Whether kind, version and length field are right; says nothing of who made it. */
function isMessage(octets: Uint8Array, kind: number, length: number): boolean {
  return (
    octets.length === length && octets[0] === kind && octets[1] === MESSAGE_VERSION && readUint(octets, 2, 2) === length
  );
}

/** @throws FormatError unless kind, version and length field are right. */
export function requireMessage(octets: Uint8Array, kind: number, length: number, what: string): void {
  if (!isMessage(octets, kind, length)) {
    throw new FormatError(`these ${octets.length} octets are not a ${what}, which has version 1 and ${length} octets`);
  }
}

/**
 * @throws FormatError unless kind, version and length field are right.
 * @throws ForgedError unless the tag is.
 */
export function requireSigned(octets: Uint8Array, kind: number, length: number, key: Uint8Array, what: string): void {
  requireMessage(octets, kind, length, what);
  if (!isSignedMessage(octets, kind, length, new AesCbc(key))) throw new ForgedError(what);
}

/**
 * Writes an amount of micro-units as u48.
 * @throws OutOfRangeError naming the field.
 */
export function writeAmount(octets: Uint8Array, at: number, amount: bigint, field: string): void {
  if (amount < 0n || amount >= 2n ** 48n) {
    throw new OutOfRangeError(`${field} is ${amount} micro-units; it must lie within 0 and ${2n ** 48n - 1n}`);
  }
  writeUint(octets, at, 6, Number(amount));
}

export function readAmount(octets: Uint8Array, at: number): bigint {
  return BigInt(readUint(octets, at, 6));
}
