import { createHash, hkdfSync } from 'node:crypto';

/** Letters and digits that nobody mixes up (Crockford's base 32). They divide the 256 values of an octet evenly. */
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** Characters of a code: 80 bit. */
const CODE_LENGTH = 16;
const LABEL = 'tollcast voucher 1';

/**
 * Derives the codes of a batch, so that they can be told again and are nowhere kept.
 * @param master 16 octets.
 * @param salt of the batch alone.
 * @returns codes as they are printed: ABCD-EFGH-JKMN-PQRS.
 */
export function deriveVoucherCodes(master: Uint8Array, salt: Uint8Array, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => {
    const octets = new Uint8Array(hkdfSync('sha256', master, salt, `${LABEL}\0${i}`, CODE_LENGTH));
    const code = Array.from(octets, (octet) => LETTERS[octet % LETTERS.length]).join('');
    return code.replace(/(.{4})(?=.)/g, '$1-');
  });
}

/** Case, blanks and strokes do not count, and letters that look like a digit are one. */
export function hashVoucherCode(typed: string): Uint8Array {
  const code = typed.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1');
  return new Uint8Array(createHash('sha256').update(`${LABEL}\0${code}`).digest());
}
