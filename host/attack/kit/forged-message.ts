import { AesCbc } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { writeFrame } from '../../../apdu/decode-module/signed-message.ts';
import type { WorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import type { Values } from '../../../apdu/layout/field-table.ts';
import { KEY_MESSAGE_HEADER } from '../../../apdu/layout/keys.ts';
import { concat } from '../../../apdu/octets.ts';

/** Header of a key message with any values, also those that the page forbids. */
export interface ForgedHeader extends Omit<Values<typeof KEY_MESSAGE_HEADER>, 'flags'> {
  readonly kind: number;
  readonly flags?: number;
}

/**
 * Wraps a key as `firmware-notes/protocol.md` 4 says, with a right tag. Checks nothing, as the forger owns the parent.
 * @param key 16 octets, or 128 octets of seeds.
 * @param parent working keys of the parent.
 */
export function forgeKeyMessage(
  header: ForgedHeader,
  key: Uint8Array,
  body: Uint8Array,
  parent: WorkingKeys,
): Uint8Array {
  const head = KEY_MESSAGE_HEADER.encode({ flags: 0, ...header });
  const octets = concat(head, new AesCbc(parent.encryption).encrypt(key), body, makeTagSpace(header));
  writeFrame(octets, header.kind);
  return addTag(octets, parent.mac, makeTagSpace(header).length);
}

function makeTagSpace({ parentKind }: ForgedHeader): Uint8Array {
  return new Uint8Array(parentKind === KIND.unique ? 16 : 8);
}

/** Returns a copy whose last octets are the right tag over all before them. */
export function addTag(octets: Uint8Array, macKey: Uint8Array, tagLength: number): Uint8Array {
  const copy = octets.slice();
  const tagAt = copy.length - tagLength;
  copy.set(new AesCbc(macKey).mac(copy.subarray(0, tagAt)).subarray(0, tagLength), tagAt);
  return copy;
}

/** Returns a copy with some octets changed. */
export function copyChanged(octets: Uint8Array, change: (copy: Uint8Array) => void): Uint8Array {
  const copy = octets.slice();
  change(copy);
  return copy;
}
