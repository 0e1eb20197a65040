import { AesCbc } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import type { WorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import { KIND, MESSAGE_VERSION } from '../../../apdu/decode-module/kinds.ts';
import { concat, writeUint } from '../../../apdu/octets.ts';

/** Header of a key message with any values, also those that the page forbids. */
export interface ForgedHeader {
  readonly kind: number;
  readonly service: number;
  readonly keyId: number;
  readonly from: number;
  readonly to: number;
  readonly number: number;
  readonly parentKind: number;
  readonly parentId: number;
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
  const octets = concat(new Uint8Array(32), new AesCbc(parent.encryption).encrypt(key), body, makeTagSpace(header));
  octets[0] = header.kind;
  octets[1] = MESSAGE_VERSION;
  writeUint(octets, 2, 2, octets.length);
  writeUint(octets, 4, 4, header.service);
  writeUint(octets, 8, 4, header.keyId);
  writeUint(octets, 12, 4, header.from);
  writeUint(octets, 16, 4, header.to);
  writeUint(octets, 20, 4, header.number);
  octets[24] = header.parentKind;
  octets[25] = header.flags ?? 0;
  writeUint(octets, 28, 4, header.parentId);
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
