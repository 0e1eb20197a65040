import { FormatError } from '../../errors.ts';
import { readUint, writeUint } from '../../octets.ts';

/** Octets of one key in the answer to LIST KEYS. */
const KEY_ENTRY_LENGTH = 20;

/** A key on the card: its names and validity, never the key itself; `firmware-notes/protocol.md` 4.4. */
export interface KeyEntry {
  /** As in `KIND`. */
  readonly kind: number;
  readonly parentKind: number;
  readonly service: number;
  readonly id: number;
  /** As kept: the overlap with the validity of its parents. Seconds since 1970; `to` no longer counts. */
  readonly from: number;
  readonly to: number;
}

/** @throws FormatError when the octets are no whole number of entries. */
export function parseKeyList(octets: Uint8Array): KeyEntry[] {
  if (octets.length % KEY_ENTRY_LENGTH !== 0) {
    throw new FormatError(
      `a key list has ${KEY_ENTRY_LENGTH} octets a key, not ${octets.length} in all; the card is faulty`,
    );
  }
  const list: KeyEntry[] = [];
  for (let at = 0; at < octets.length; at += KEY_ENTRY_LENGTH) {
    list.push({
      kind: readUint(octets, at, 1),
      parentKind: readUint(octets, at + 1, 1),
      service: readUint(octets, at + 4, 4),
      id: readUint(octets, at + 8, 4),
      from: readUint(octets, at + 12, 4),
      to: readUint(octets, at + 16, 4),
    });
  }
  return list;
}

export function encodeKeyList(list: readonly KeyEntry[]): Uint8Array {
  const octets = new Uint8Array(list.length * KEY_ENTRY_LENGTH);
  list.forEach((key, index) => {
    const at = index * KEY_ENTRY_LENGTH;
    octets[at] = key.kind;
    octets[at + 1] = key.parentKind;
    writeUint(octets, at + 4, 4, key.service);
    writeUint(octets, at + 8, 4, key.id);
    writeUint(octets, at + 12, 4, key.from);
    writeUint(octets, at + 16, 4, key.to);
  });
  return octets;
}
