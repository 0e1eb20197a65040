import { allocate } from '../allocate.ts';
import { FormatError, OutOfRangeError } from '../errors.ts';

/** Most octets a command's data field holds (extended length). */
const MAX_COMMAND_DATA = 65_535;
/** Longest command APDU: header 4, extended Lc 3, data, extended Le 2. */
export const MAX_COMMAND_OCTETS = 4 + 3 + MAX_COMMAND_DATA + 2;

/** A command APDU (ISO/IEC 7816-4 5.1); its case follows from which of `data` and `le` are there. */
export interface CommandApdu {
  /** Class, 0..255. */
  readonly cla: number;
  /** Instruction, 0..255. */
  readonly ins: number;
  readonly p1: number;
  readonly p2: number;
  /** 0..65,535 octets; empty is the same as none. */
  readonly data?: Uint8Array | undefined;
  /** Most octets of answer wanted, 1..65,536; 256 is short Le 00, 65,536 extended Le 0000. Left out: no answer. */
  readonly le?: number | undefined;
  /** Extended length fields even where short ones would do. */
  readonly extended?: boolean | undefined;
}

/** The four cases of ISO/IEC 7816-3 12.1.2: no data, data from the card, data to it, both. */
export type CommandCase = 1 | 2 | 3 | 4;

export function commandCase(command: CommandApdu): CommandCase {
  const sends = command.data !== undefined && command.data.length > 0;
  if (command.le === undefined) return sends ? 3 : 1;
  return sends ? 4 : 2;
}

/** True when the command cannot travel, or was asked not to travel, with one-octet length fields. */
export function needsExtendedLength(command: CommandApdu): boolean {
  return command.extended === true || (command.data?.length ?? 0) > 255 || (command.le ?? 0) > 256;
}

/**
 * Writes a command APDU, with short length fields where they hold the lengths (ISO/IEC 7816-3 12.1.3).
 * @throws OutOfRangeError when a field does not fit.
 */
export function encodeCommand(command: CommandApdu): Uint8Array {
  const { cla, ins, p1, p2, data, le } = command;
  const lc = data === undefined ? 0 : data.length;
  checkRanges(command, lc);
  if (!needsExtendedLength(command)) {
    const octets = allocate(4 + (lc > 0 ? 1 + lc : 0) + (le === undefined ? 0 : 1));
    octets[0] = cla;
    octets[1] = ins;
    octets[2] = p1;
    octets[3] = p2;
    if (lc > 0) {
      octets[4] = lc;
      octets.set(data!, 5);
    }
    if (le !== undefined) octets[octets.length - 1] = le; // 256 becomes 00
    return octets;
  }
  // Lc takes 00 and two octets; Le two octets after an Lc, and 00 and two octets without one.
  const octets = allocate(4 + (lc > 0 ? 3 + lc : 0) + (le === undefined ? 0 : lc > 0 ? 2 : 3));
  octets[0] = cla;
  octets[1] = ins;
  octets[2] = p1;
  octets[3] = p2;
  if (lc > 0) {
    octets[5] = lc >>> 8;
    octets[6] = lc;
    octets.set(data!, 7);
  }
  if (le !== undefined) {
    octets[octets.length - 2] = le >>> 8; // 65,536 becomes 0000
    octets[octets.length - 1] = le;
  }
  return octets;
}

function checkRanges(command: CommandApdu, lc: number): void {
  const { cla, ins, p1, p2, le } = command;
  if ((cla | ins | p1 | p2) >>> 8 !== 0) {
    throw new OutOfRangeError(`CLA, INS, P1 and P2 are octets, 0 to 255; got ${cla}, ${ins}, ${p1}, ${p2}`);
  }
  if (lc > MAX_COMMAND_DATA) {
    throw new OutOfRangeError(
      `a command holds 0 to ${MAX_COMMAND_DATA} octets of data, not ${lc}; send it in several commands`,
    );
  }
  if (le !== undefined && !(Number.isInteger(le) && le >= 1 && le <= 65_536)) {
    throw new OutOfRangeError(`Le is 1 to 65536 octets, not ${le}; leave it out when no answer is wanted`);
  }
}

/**
 * Reads a command APDU of any case. `data` is a view of the octets handed in, not a copy.
 * @throws FormatError when the length fields do not agree with the length.
 */
export function parseCommand(octets: Uint8Array): CommandApdu {
  const length = octets.length;
  if (length < 4 || length > MAX_COMMAND_OCTETS) {
    throw new FormatError(`a command APDU has 4 to ${MAX_COMMAND_OCTETS} octets, not ${length}`);
  }
  const cla = octets[0]!;
  const ins = octets[1]!;
  const p1 = octets[2]!;
  const p2 = octets[3]!;
  if (length === 4) return { cla, ins, p1, p2 };
  const first = octets[4]!;
  if (length === 5) return { cla, ins, p1, p2, le: first === 0 ? 256 : first };
  if (first !== 0) {
    if (length === 5 + first) return { cla, ins, p1, p2, data: octets.subarray(5) };
    if (length === 6 + first) {
      const last = octets[length - 1]!;
      return { cla, ins, p1, p2, data: octets.subarray(5, 5 + first), le: last === 0 ? 256 : last };
    }
    throw badLength(length, `Lc says ${first} octets of data: ${5 + first}, or ${6 + first} with Le`);
  }
  if (length < 7) throw badLength(length, 'an extended length field takes 3 octets: at least 7');
  const word = (octets[5]! << 8) | octets[6]!;
  if (length === 7) return { cla, ins, p1, p2, le: word === 0 ? 65_536 : word, extended: true };
  if (word === 0) throw badLength(length, 'an extended Lc of 0 cannot be followed by data: 7');
  if (length === 7 + word) return { cla, ins, p1, p2, data: octets.subarray(7), extended: true };
  if (length === 9 + word) {
    const le = (octets[length - 2]! << 8) | octets[length - 1]!;
    return { cla, ins, p1, p2, data: octets.subarray(7, 7 + word), le: le === 0 ? 65_536 : le, extended: true };
  }
  throw badLength(length, `extended Lc says ${word} octets of data: ${7 + word}, or ${9 + word} with Le`);
}

function badLength(length: number, expected: string): FormatError {
  return new FormatError(`the command APDU has ${length} octets, but ${expected}; check Lc and Le`);
}
