import { InputError } from './errors.ts';

const HEX = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, '0'));

/** Lower-case hexadecimal, no separators. */
export function toHex(octets: Uint8Array): string {
  let text = '';
  for (let i = 0; i < octets.length; i++) text += HEX[octets[i]!]!;
  return text;
}

/**
 * Reads hexadecimal; white space and colons between octets are allowed.
 * @throws InputError when anything else stands in it or a half octet is left over.
 */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/[\s:]/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) {
    throw new InputError(`"${text.slice(0, 40)}" is not hexadecimal; write pairs of 0-9 and A-F, as in "00 A4 04 00"`);
  }
  const octets = new Uint8Array(digits.length / 2);
  for (let i = 0; i < octets.length; i++) octets[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return octets;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Compares in constant time, so that the time tells nothing of where two tags differ. */
export function equalTags(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** Big-endian unsigned reads and writes of 1 to 6 octets; 6 octets (48 bits) are exact in a number. */
export function readUint(octets: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = at; i < at + size; i++) value = value * 256 + (octets[i] ?? 0);
  return value;
}

export function writeUint(octets: Uint8Array, at: number, size: number, value: number): void {
  let rest = value;
  for (let i = at + size - 1; i >= at; i--) {
    octets[i] = rest; // modulo 256
    rest = Math.floor(rest / 256);
  }
}

/** A number as four octets. */
export function u32(value: number): Uint8Array {
  const octets = new Uint8Array(4);
  writeUint(octets, 0, 4, value);
  return octets;
}

/** Compares what is no secret: the time that it takes tells where the difference is. */
export function hasSameOctets(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
