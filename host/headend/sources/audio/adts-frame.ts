import { readUint } from '../../../../apdu/octets.ts';
import type { AudioFrame } from './audio-frame.ts';

/** Octets of a header without its checksum. */
const ADTS_HEADER = 7;

/** Hz by sampling frequency index, ISO/IEC 14496-3 table 1.18. */
const FREQUENCIES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350,
];
/** Samples of a raw data block. */
const BLOCK = 1024;

/**
 * Reads the header of an ADTS frame, ISO/IEC 13818-7 6.2.
 * @param at offset of the header.
 * @returns nothing when none stands there, or when it is cut.
 */
export function readAdtsFrame(octets: Uint8Array, at: number): AudioFrame | undefined {
  if (octets.length < at + ADTS_HEADER) return undefined;
  // The sync word, and a layer of 0.
  if (octets[at] !== 0xff || (octets[at + 1]! & 0xf6) !== 0xf0) return undefined;
  const rate = FREQUENCIES[(octets[at + 2]! >> 2) & 15];
  const length = (readUint(octets, at + 3, 3) >> 5) & 0x1fff;
  if (rate === undefined || length < ADTS_HEADER) return undefined;
  const blocks = (octets[at + 6]! & 3) + 1;
  return { length, samples: BLOCK * blocks, rate, kind: 'adts' };
}
