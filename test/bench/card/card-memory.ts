/** What clears it: a reset alone, or the selection of another application too. */
export type RamKind = 'reset' | 'deselect';

/**
 * The applet's transient memory, as `Transients.java` makes it; `test/integration/card/card-cost.test.ts` holds it
 * against the runner's count.
 */
export const RAM_TABLE: readonly { readonly what: string; readonly octets: number; readonly kind: RamKind }[] = [
  { what: 'session: used and taken, totals, marks, tally, registers', octets: 175, kind: 'reset' },
  { what: 'work: one record, or one receipt, or the derivation of working keys', octets: 176, kind: 'deselect' },
  { what: 'entries of 4 segment keys', octets: 4 * 20, kind: 'reset' },
  { what: 'entries of 2 content keys', octets: 2 * 37, kind: 'reset' },
  { what: 'AES keys, two for each of these 6', octets: 12 * 16, kind: 'reset' },
  { what: 'two working keys of the parent in use', octets: 2 * 16, kind: 'deselect' },
  { what: 'secure channel: state, and its three AES keys', octets: 22 + 3 * 16, kind: 'deselect' },
  { what: 'whether the PIN is verified', octets: 1, kind: 'reset' },
];

/** What the table has of a kind. */
export function ramOf(kind: RamKind): number {
  return RAM_TABLE.filter((row) => row.kind === kind).reduce((sum, { octets }) => sum + octets, 0);
}

export const RAM_OCTETS = ramOf('reset') + ramOf('deselect');

/** What three Cipher, three Signature and one MessageDigest take on the reference implementation of 2.2.2. */
export const API_OBJECTS_OCTETS = 618;

/** Most octets that the applet writes in one atomic copy or transaction: the purse's record. */
export const LARGEST_WRITE = 176;
