import { FormatError, TollcastError } from '../errors.ts';
import type { Fields, Layout, ValuesOf } from '../layout/field-table.ts';
import { MESSAGE_FRAME, TAG } from '../layout/message-frame.ts';
import { equalTags } from '../octets.ts';
import { type AesCbc, type CbcCipher, makeAesCbc } from './keys/aes-cbc.ts';
import { MESSAGE_VERSION } from './kinds.ts';

/** A message whose tag does not fit: forged, damaged, or made with another key. */
export class ForgedError extends TollcastError {
  override readonly name = 'ForgedError';

  constructor(what: string) {
    super('FORGED', `the tag of this ${what} is wrong; drop it, and check that it is of this card and these keys`);
  }
}

/**
 * Writes kind, version, length and tag of a message whose other fields are there; `firmware-notes/protocol.md` 1.1.
 * @param octets the whole message; it is changed in place.
 * @returns the same octets.
 */
export function signMessage(octets: Uint8Array, kind: number, mac: AesCbc): Uint8Array {
  writeFrame(octets, kind);
  const tagAt = octets.length - TAG.size;
  octets.set(mac.mac(octets.subarray(0, tagAt)), tagAt);
  return octets;
}

/** Writes kind, version and length; length is that of the octets. */
export function writeFrame(octets: Uint8Array, kind: number): void {
  MESSAGE_FRAME.writeUint(octets, 'kind', kind);
  MESSAGE_FRAME.writeUint(octets, 'version', MESSAGE_VERSION);
  MESSAGE_FRAME.writeUint(octets, 'length', octets.length);
}

/**
 * Makes a signed message.
 * @throws OutOfRangeError naming a value that does not fit, and its range.
 */
export function sealMessage<F extends Fields>(
  table: Layout<F>,
  kind: number,
  values: ValuesOf<F>,
  mac: AesCbc,
): Uint8Array {
  return signMessage(table.encode(values), kind, mac);
}

/** Whether kind, version, length field and tag are right. */
export function isSignedMessage<F extends Fields>(
  table: Layout<F>,
  kind: number,
  octets: Uint8Array,
  mac: CbcCipher,
): boolean {
  if (!isMessage(table, kind, octets)) return false;
  const tagAt = octets.length - TAG.size;
  return equalTags(mac.mac(octets.subarray(0, tagAt)), octets.subarray(tagAt));
}

/** Whether kind, version and length field are right; says nothing of who made it. */
function isMessage<F extends Fields>({ length }: Layout<F>, kind: number, octets: Uint8Array): boolean {
  return (
    octets.length === length &&
    MESSAGE_FRAME.readUint(octets, 'kind') === kind &&
    MESSAGE_FRAME.readUint(octets, 'version') === MESSAGE_VERSION &&
    MESSAGE_FRAME.readUint(octets, 'length') === length
  );
}

/**
 * Reads a message without asking who made it.
 * @throws FormatError unless kind, version and length field are right and reserved octets zero.
 */
export function parseMessage<F extends Fields>(table: Layout<F>, kind: number, octets: Uint8Array): ValuesOf<F> {
  requireMessage(table, kind, octets);
  return table.decode(octets);
}

/**
 * Reads a message of a card whose key is known.
 * @param key that it must be signed with, 16 octets.
 * @throws FormatError unless kind, version and length field are right and reserved octets zero.
 * @throws ForgedError unless the tag is right.
 */
export function openMessage<F extends Fields>(
  table: Layout<F>,
  kind: number,
  octets: Uint8Array,
  key: Uint8Array,
  makeCipher = makeAesCbc,
): ValuesOf<F> {
  requireMessage(table, kind, octets);
  if (!isSignedMessage(table, kind, octets, makeCipher(key))) throw new ForgedError(table.name);
  return table.decode(octets);
}

function requireMessage<F extends Fields>(table: Layout<F>, kind: number, octets: Uint8Array): void {
  if (!isMessage(table, kind, octets)) {
    const wanted = `a ${table.name} of kind ${kind} has version ${MESSAGE_VERSION} and ${table.length} octets`;
    throw new FormatError(`these ${octets.length} octets are not what was expected: ${wanted}; drop them`);
  }
}
