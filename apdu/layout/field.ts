import { FormatError, OutOfRangeError } from '../errors.ts';
import { readUint, writeUint } from '../octets.ts';

/** A range narrower than the octets of a field allow. */
interface Range<Value> {
  readonly min?: Value;
  readonly max?: Value;
}

/**
 * One field of a message.
 *
 * A *value* is what the message says. *Framing* is kind, version, length and tag: whoever seals the message writes
 * them. *Reserved* octets are zero.
 */
export interface Field<Role extends 'value' | 'framing' | 'reserved', Value> {
  readonly role: Role;
  /** As the page writes it: `u8` to `u64` for numbers, `octets` for all else. */
  readonly type: string;
  /** In octets. */
  readonly size: number;
  read(message: Uint8Array, at: number, name: string): Value;
  /** @throws OutOfRangeError naming the field and its range. */
  write(message: Uint8Array, at: number, value: Value, name: string): void;
}

function requireRange<Value extends number | bigint>(value: Value, min: Value, max: Value, name: string): void {
  if ((typeof value === 'number' && !Number.isInteger(value)) || value < min || value > max) {
    throw new OutOfRangeError(`the ${inWords(name)} is ${value}; it must lie within ${min} and ${max}`);
  }
}

/** An unsigned number of 1 to 6 octets, exact as a JavaScript number. */
function uint(size: 1 | 2 | 3 | 4 | 6, range: Range<number>): Field<'value', number> {
  const { min = 0, max = 256 ** size - 1 } = range;
  return {
    role: 'value',
    type: `u${8 * size}`,
    size,
    read: (message, at) => readUint(message, at, size),
    write(message, at, value, name) {
      requireRange(value, min, max, name);
      writeUint(message, at, size, value);
    },
  };
}

export const u8 = (range: Range<number> = {}): Field<'value', number> => uint(1, range);
export const u16 = (range: Range<number> = {}): Field<'value', number> => uint(2, range);
export const u24 = (range: Range<number> = {}): Field<'value', number> => uint(3, range);
export const u32 = (range: Range<number> = {}): Field<'value', number> => uint(4, range);
export const u48 = (range: Range<number> = {}): Field<'value', number> => uint(6, range);

/** Money or ticks: a bigint, so that no arithmetic with it is ever inexact. */
function exact(size: 4 | 6 | 8, range: Range<bigint>): Field<'value', bigint> {
  const { min = 0n, max = 256n ** BigInt(size) - 1n } = range;
  return {
    role: 'value',
    type: `u${8 * size}`,
    size,
    read: (message, at) =>
      (BigInt(readUint(message, at, size - 4)) << 32n) | BigInt(readUint(message, at + size - 4, 4)),
    write(message, at, value, name) {
      requireRange(value, min, max, name);
      writeUint(message, at, size - 4, Number(value >> 32n));
      writeUint(message, at + size - 4, 4, Number(value & 0xffff_ffffn));
    },
  };
}

/** Micro-units, u48. */
export const amount = (range: Range<bigint> = {}): Field<'value', bigint> => exact(6, range);
/** Micro-units for a unit, u32. */
export const price = (range: Range<bigint> = {}): Field<'value', bigint> => exact(4, range);
/** 1/18,000,000 micro-units, u64. */
export const ticks = (): Field<'value', bigint> => exact(8, {});

/** Octets that are not a number. Reading copies them. */
export function opaque(size: number): Field<'value', Uint8Array> {
  return {
    role: 'value',
    type: 'octets',
    size,
    read: (message, at) => message.slice(at, at + size),
    write(message, at, value, name) {
      if (value.length !== size) {
        throw new OutOfRangeError(`the ${inWords(name)} has ${value.length} octets; it must have ${size}`);
      }
      message.set(value, at);
    },
  };
}

/** An octet that is 1 for true and 0 for false. */
export function flag(): Field<'value', boolean> {
  return {
    role: 'value',
    type: 'u8',
    size: 1,
    read: (message, at) => message[at] === 1,
    write(message, at, value) {
      message[at] = value ? 1 : 0;
    },
  };
}

/**
 * An octet that names one of several things.
 * @param codes the octet of each.
 */
export function oneOf<Name extends string>(codes: Readonly<Record<Name, number>>): Field<'value', Name> {
  const isName = (name: string): name is Name => name in codes;
  const names = Object.keys(codes).filter(isName);
  return {
    role: 'value',
    type: 'u8',
    size: 1,
    read(message, at, field) {
      const found = names.find((name) => codes[name] === message[at]);
      if (found === undefined) {
        throw new FormatError(`${inWords(field)} ${message[at]} is unknown; a newer tollcast may know it`);
      }
      return found;
    },
    write(message, at, value) {
      message[at] = codes[value];
    },
  };
}

/** Makes a field one that is written when the message is sealed. */
export function framing<Value>(field: Field<'value', Value>): Field<'framing', Value> {
  return { ...field, role: 'framing' };
}

/** Octets that are zero in this version. */
export function reserved(size: number): Field<'reserved', Uint8Array> {
  return { ...opaque(size), role: 'reserved' };
}

/** Writes `keyId` as the page does: key id. */
function inWords(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
