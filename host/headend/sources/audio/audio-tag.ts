import { readUint } from '../../../../apdu/octets.ts';

/** So many octets tell the length of any tag. */
export const ENOUGH_FOR_TAG = 32;

const ID3V1 = 128;
const ID3V2_HEADER = 10;
const APE_HEADER = 32;

/**
 * The length of a tag, which lies in front of the sound of a file or behind it.
 * @param at offset of the tag, with 32 octets behind it or all that there are.
 * @returns octets of ID3v2, ID3v1 or APEv2; nothing when there is none.
 */
export function readTagLength(octets: Uint8Array, at: number): number | undefined {
  const left = octets.length - at;
  const begins = (name: string) => String.fromCharCode(...octets.subarray(at, at + name.length)) === name;
  if (left >= ID3V2_HEADER && begins('ID3')) {
    const size = octets.subarray(at + 6, at + ID3V2_HEADER);
    // ID3v2.4 3.1: four octets of 7 bits. A footer is as long as the header.
    if (size.some((octet) => octet > 0x7f)) return undefined;
    const footer = (octets[at + 5]! & 0x10) === 0 ? 0 : ID3V2_HEADER;
    return ID3V2_HEADER + size.reduce((sum, octet) => sum * 0x80 + octet, 0) + footer;
  }
  if (begins('TAG')) return ID3V1;
  if (left < APE_HEADER || !begins('APETAGEX')) return undefined;
  const size = readUint(octets.slice(at + 12, at + 16).toReversed(), 0, 4);
  // The size counts the footer and not the header; where the header is missing this is the footer, all else is over.
  const isHeader = (octets[at + 23]! & 0x20) !== 0;
  return isHeader ? APE_HEADER + size : APE_HEADER;
}
