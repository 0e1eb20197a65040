/**
 * The applet's transient memory, as `Transients.java` makes it; `test/integration/card/card-cost.test.ts` holds it
 * against the runner's count.
 */
export const RAM_TABLE: readonly { readonly what: string; readonly octets: number }[] = [
  { what: 'session: used and taken, totals, marks, tally, registers', octets: 175 },
  { what: 'work: one record, or one receipt, or the derivation of working keys', octets: 176 },
  { what: 'entries of 4 segment keys', octets: 4 * 20 },
  { what: 'entries of 2 content keys', octets: 2 * 37 },
  { what: 'AES keys, two for each of these 6', octets: 12 * 16 },
  { what: 'two working keys of the parent in use', octets: 2 * 16 },
  { what: 'secure channel: state, and its three AES keys', octets: 22 + 3 * 16 },
  { what: 'whether the PIN is verified', octets: 1 },
];

export const RAM_OCTETS = RAM_TABLE.reduce((sum, { octets }) => sum + octets, 0);

/** Most octets that the applet writes in one atomic copy or transaction: the purse's record. */
export const LARGEST_WRITE = 176;
