import { toHex } from '../../../apdu/octets.ts';

const PER_LINE = 16;

/** "00 A4 04 00" */
export function spacedHex(octets: Uint8Array): string {
  return toHex(octets)
    .toUpperCase()
    .replaceAll(/(..)(?=.)/g, '$1 ');
}

/** Lines of 16 octets: offset, octets, and what of them is printable ASCII. */
export function hexDump(octets: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < octets.length; at += PER_LINE) {
    const part = octets.subarray(at, at + PER_LINE);
    const text = Array.from(part, (octet) => (octet >= 0x20 && octet < 0x7f ? String.fromCodePoint(octet) : '.')).join(
      '',
    );
    lines.push(`${at.toString(16).padStart(4, '0')}  ${spacedHex(part).padEnd(3 * PER_LINE - 1)}  ${text}`);
  }
  return lines;
}
