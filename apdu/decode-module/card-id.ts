import { FormatError, InputError, OutOfRangeError } from '../errors.ts';
import { fromHex, readUint, toHex, writeUint } from '../octets.ts';

/** What a module is: a chip that keeps its keys, or a program that keeps nothing from its owner. */
export type ModuleClass = 'card' | 'soft';

/** Who issued a module and which one it is; `firmware-notes/protocol.md` 1. */
export interface CardId {
  /** u24. */
  readonly issuer: number;
  readonly moduleClass: ModuleClass;
  /** u32. */
  readonly serial: number;
}

/** Octets of a card id. */
export const CARD_ID_LENGTH = 8;

const CLASS_OCTET: Record<ModuleClass, number> = { card: 0x01, soft: 0x02 };

/** @throws OutOfRangeError when issuer or serial is no integer of its size. */
export function encodeCardId(id: CardId): Uint8Array {
  check('issuer', id.issuer, 0xff_ffff);
  check('serial', id.serial, 0xffff_ffff);
  const octets = new Uint8Array(CARD_ID_LENGTH);
  writeUint(octets, 0, 3, id.issuer);
  octets[3] = CLASS_OCTET[id.moduleClass];
  writeUint(octets, 4, 4, id.serial);
  return octets;
}

/** @throws FormatError when the octets are not 8, or name a class that this version does not know (as those of a blank card do). */
export function decodeCardId(octets: Uint8Array): CardId {
  if (octets.length !== CARD_ID_LENGTH) {
    throw new FormatError(`a card id has ${CARD_ID_LENGTH} octets, not ${octets.length}`);
  }
  const moduleClass = octets[3] === CLASS_OCTET.card ? 'card' : octets[3] === CLASS_OCTET.soft ? 'soft' : undefined;
  if (moduleClass === undefined) {
    throw new FormatError(
      `${formatCardId(octets)} is not a card id: class ${octets[3]} is neither 1 (card) nor 2 (soft)`,
    );
  }
  return { issuer: readUint(octets, 0, 3), moduleClass, serial: readUint(octets, 4, 4) };
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

function check(name: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new OutOfRangeError(`the ${name} of a card id is ${value}; it must lie within 0 and ${most}`);
  }
}
