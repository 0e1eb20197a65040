import { FormatError } from '../../errors.ts';
import type { Values } from '../../layout/field-table.ts';
import { KEY_ENTRY } from '../../layout/keys.ts';

/** A key on the card: its names and validity, never the key itself; `firmware-notes/protocol.md` 4.4. */
export interface KeyEntry extends Values<typeof KEY_ENTRY> {}

/** Reads the answer to LIST KEYS. @throws FormatError when the octets are not whole entries. */
export function parseKeyList(octets: Uint8Array): KeyEntry[] {
  const count = octets.length / KEY_ENTRY.length;
  if (!Number.isInteger(count)) {
    throw new FormatError(
      `a key list has ${KEY_ENTRY.length} octets a key, not ${octets.length} in all; the card is faulty`,
    );
  }
  return Array.from({ length: count }, (_, index) => KEY_ENTRY.read(octets, index * KEY_ENTRY.length));
}

/** Makes the answer to LIST KEYS. */
export function encodeKeyList(list: readonly KeyEntry[]): Uint8Array {
  const octets = new Uint8Array(list.length * KEY_ENTRY.length);
  list.forEach((key, index) => {
    KEY_ENTRY.write(octets, key, index * KEY_ENTRY.length);
  });
  return octets;
}
