import { cbc, cmac, ecb } from '@noble/ciphers/aes.js';
import { concat, writeUint } from '../octets.ts';
import { CLA_SECURE } from './security-level.ts';

const BLOCK = 16;
/** Octets of a C-MAC or R-MAC as sent: S8 mode. */
export const CHANNEL_MAC_LENGTH = 8;
/** The MAC chaining value before the first command. */
export const FIRST_CHAINING = new Uint8Array(BLOCK);
/** Most octets of data in one command with a C-MAC. */
export const MAX_MACED_DATA = 255 - CHANNEL_MAC_LENGTH;
/** The same where the data is enciphered: padding takes one octet at least. */
export const MAX_ENCIPHERED_DATA = Math.floor(MAX_MACED_DATA / BLOCK) * BLOCK - 1;

/** The part of a command's header that differs under its C-MAC: CLA is always 84, and Lc counts the C-MAC. */
export interface CommandHeader {
  readonly ins: number;
  readonly p1: number;
  readonly p2: number;
}

/**
 * Amendment D 6.2.4: the next MAC chaining value, whose first 8 octets are the C-MAC of this command.
 * @param chaining the one before, 16 octets.
 * @param data as sent, enciphered if it is, without the C-MAC.
 * @returns 16 octets.
 */
export function chainCommand(
  sMac: Uint8Array,
  chaining: Uint8Array,
  header: CommandHeader,
  data: Uint8Array,
): Uint8Array {
  const { ins, p1, p2 } = header;
  return cmac(concat(chaining, Uint8Array.of(CLA_SECURE, ins, p1, p2, data.length + CHANNEL_MAC_LENGTH), data), sMac);
}

/**
 * Amendment D 6.2.5: the R-MAC of an answer.
 * @param chaining the chaining value that the command left, 16 octets.
 * @returns 8 octets.
 */
export function computeAnswerMac(
  sRmac: Uint8Array,
  chaining: Uint8Array,
  data: Uint8Array,
  status: number,
): Uint8Array {
  const whole = concat(chaining, data, Uint8Array.of(status >>> 8, status));
  return cmac(whole, sRmac).slice(0, CHANNEL_MAC_LENGTH);
}

/** Amendment D 6.2.5: 9000 and warnings have an R-MAC. Every other status word is an error, without data and R-MAC. */
export function hasAnswerMac(status: number): boolean {
  const sw1 = status >>> 8;
  return status === 0x9000 || sw1 === 0x62 || sw1 === 0x63;
}

/**
 * Amendment D 6.2.6: pads and enciphers a command's data.
 * @param counter of the command in its session, from 1.
 */
export function encipher(sEnc: Uint8Array, counter: number, data: Uint8Array): Uint8Array {
  const padded = new Uint8Array((Math.floor(data.length / BLOCK) + 1) * BLOCK);
  padded.set(data);
  padded[data.length] = 0x80;
  return cbc(sEnc, deriveVector(sEnc, counter), { disablePadding: true }).encrypt(padded);
}

/**
 * Deciphers what {@link encipher} made.
 * @returns undefined when length or padding is wrong.
 */
export function decipher(sEnc: Uint8Array, counter: number, data: Uint8Array): Uint8Array | undefined {
  if (data.length === 0 || data.length % BLOCK !== 0) return undefined;
  const padded = cbc(sEnc, deriveVector(sEnc, counter), { disablePadding: true }).decrypt(data);
  let end = padded.length - 1;
  while (end > padded.length - BLOCK && padded[end] === 0) end--;
  return padded[end] === 0x80 ? padded.subarray(0, end) : undefined;
}

/** Makes the initial chaining vector: the command counter, enciphered. */
function deriveVector(sEnc: Uint8Array, counter: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  writeUint(block, BLOCK - 6, 6, counter);
  return ecb(sEnc, { disablePadding: true }).encrypt(block);
}
