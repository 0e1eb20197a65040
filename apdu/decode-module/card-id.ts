import { FormatError, InputError } from '../errors.ts';
import { CARD_ID, MODULE_CLASS } from '../layout/card.ts';
import type { Values } from '../layout/field-table.ts';
import { fromHex, toHex } from '../octets.ts';

/** What a module is: a chip that keeps its keys, or a program that keeps nothing from its owner. */
export type ModuleClass = keyof typeof MODULE_CLASS;

/** Who issued a module and which one it is; `firmware-notes/protocol.md` 1. */
export interface CardId extends Values<typeof CARD_ID> {}

/** @returns 8 octets. @throws OutOfRangeError when issuer or serial does not fit. */
export function encodeCardId(id: CardId): Uint8Array {
  return CARD_ID.encode(id);
}

/**
 * @throws FormatError when the octets are not 8, or name a class that this version does not know, as those of a blank
 *   card do.
 */
export function decodeCardId(octets: Uint8Array): CardId {
  const code = CARD_ID.readUint(octets, 'moduleClass');
  if (octets.length === CARD_ID.length && code !== MODULE_CLASS.card && code !== MODULE_CLASS.soft) {
    throw new FormatError(`${formatCardId(octets)} is not a card id: class ${code} is neither 1 (card) nor 2 (soft)`);
  }
  return CARD_ID.decode(octets);
}

/**
 * For people: issuer, class and serial in hexadecimal, as in `0a1b2c-01-00000007`.
 * @param octets 8, of a card or blank.
 */
export function formatCardId(octets: Uint8Array): string {
  const text = toHex(octets);
  return `${text.slice(0, 6)}-${text.slice(6, 8)}-${text.slice(8)}`;
}

/**
 * Reads what {@link formatCardId} wrote; the dashes may be left out.
 * @returns the 8 octets.
 * @throws InputError for anything else.
 */
export function parseCardId(text: string): Uint8Array {
  if (!/^[0-9a-f]{6}(-?)0[12]\1[0-9a-f]{8}$/i.test(text)) {
    throw new InputError(`"${text.slice(0, 40)}" is not a card id; write it as tollcast shows it, 0a1b2c-01-00000007`);
  }
  return fromHex(text.replaceAll('-', ''));
}
