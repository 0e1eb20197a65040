import { randomBytes } from 'node:crypto';

/** An MPEG audio frame to be made; its bit rate and sampling frequency by their index. */
export interface FramePlan {
  readonly version?: 1 | 2 | 2.5;
  readonly layer?: 1 | 2 | 3;
  readonly bitRate?: number;
  readonly frequency?: number;
  readonly padding?: boolean;
}

/** Octets and samples of a frame of these indices, worked out by hand from ISO/IEC 11172-3 and 13818-3. */
export const KNOWN_FRAMES: readonly (FramePlan & { length: number; samples: number; rate: number })[] = [
  // 48 kbit/s at 48 kHz, 128 at 44.1 with and without padding, 320 at 32.
  { version: 1, layer: 3, bitRate: 3, frequency: 1, length: 144, samples: 1152, rate: 48_000 },
  { version: 1, layer: 3, bitRate: 9, frequency: 0, length: 417, samples: 1152, rate: 44_100 },
  { version: 1, layer: 3, bitRate: 9, frequency: 0, padding: true, length: 418, samples: 1152, rate: 44_100 },
  { version: 1, layer: 3, bitRate: 14, frequency: 2, length: 1440, samples: 1152, rate: 32_000 },
  // Layer II: 192 kbit/s at 48 kHz, 384 at 32.
  { version: 1, layer: 2, bitRate: 10, frequency: 1, length: 576, samples: 1152, rate: 48_000 },
  { version: 1, layer: 2, bitRate: 14, frequency: 2, length: 1728, samples: 1152, rate: 32_000 },
  // Layer I: 448 kbit/s at 44.1 kHz, in units of 4 octets.
  { version: 1, layer: 1, bitRate: 14, frequency: 0, length: 484, samples: 384, rate: 44_100 },
  { version: 1, layer: 1, bitRate: 14, frequency: 0, padding: true, length: 488, samples: 384, rate: 44_100 },
  // Version 2: 64 kbit/s at 22.05 kHz, layer II 64 at 24; version 2.5: 8 kbit/s at 8 kHz.
  { version: 2, layer: 3, bitRate: 8, frequency: 0, length: 208, samples: 576, rate: 22_050 },
  { version: 2, layer: 2, bitRate: 8, frequency: 1, length: 384, samples: 1152, rate: 24_000 },
  { version: 2.5, layer: 3, bitRate: 1, frequency: 2, length: 72, samples: 576, rate: 8000 },
];

/** Makes the frame of a plan with random content, in which nothing looks like a header. */
export function makeMpegFrame(plan: FramePlan & { readonly length: number }): Uint8Array {
  const { version = 1, layer = 3, bitRate = 9, frequency = 0, padding = false, length } = plan;
  const frame = randomBytes(length).map((octet) => (octet === 0xff ? 0xfe : octet));
  const versions = new Map([
    [1, 3],
    [2, 2],
    [2.5, 0],
  ]);
  frame.set([
    0xff,
    0xe0 | (versions.get(version)! << 3) | ((4 - layer) << 1) | 1,
    (bitRate << 4) | (frequency << 2) | (padding ? 2 : 0),
    0,
  ]);
  return frame;
}

/** Makes an ADTS frame of 48 kHz. */
export function makeAdtsFrame(length: number, blocks = 1): Uint8Array {
  const frame = randomBytes(length).map((octet) => (octet === 0xff ? 0xfe : octet));
  frame.set([
    0xff,
    0xf1,
    0x4c,
    0x80 | (length >> 11),
    (length >> 3) & 0xff,
    ((length & 7) << 5) | 0x1f,
    0xfc | (blocks - 1),
  ]);
  return frame;
}

/** Makes an ID3v2 tag with so many octets of content. */
export function makeId3(content: number): Uint8Array {
  const tag = new Uint8Array(10 + content).fill(0x20);
  tag.set([0x49, 0x44, 0x33, 4, 0, 0, ...[21, 14, 7, 0].map((shift) => (content >> shift) & 0x7f)]);
  return tag;
}
