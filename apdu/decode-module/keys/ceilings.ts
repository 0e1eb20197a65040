import type { Values } from '../../layout/field-table.ts';
import { CEILINGS } from '../../layout/keys.ts';

/** What a purchase allows the head-end to ask for at most; `firmware-notes/protocol.md` 4.2. Money in micro-units. */
export type Ceilings = Omit<Values<typeof CEILINGS>, 'currency'> & {
  /** ISO 4217 number of the currency of all this; cards of another one refuse it. Left out: that of any card. */
  readonly currency?: number;
};

/** Makes the ceilings of a purchase. @returns 32 octets. @throws OutOfRangeError naming the field and its range. */
export function encodeCeilings(ceilings: Ceilings): Uint8Array {
  return CEILINGS.encode({ currency: 0, ...ceilings });
}

/**
 * Reads the ceilings of a purchase.
 * @throws FormatError when the body is not 32 octets, or a reserved one is not zero.
 */
export function decodeCeilings(body: Uint8Array): Ceilings {
  const { currency, ...ceilings } = CEILINGS.decode(body);
  return { ...ceilings, ...(currency !== 0 && { currency }) };
}
