import type { AudioFrame } from './audio-frame.ts';

/** Octets of a header. */
const MPEG_AUDIO_HEADER = 4;

const SYNC = 0xffe0;
/** kbit/s by bit rate index, ISO/IEC 11172-3 2.4.2.3 and 13818-3 2.4.2.3. Index 0 is a rate without a name. */
const RATES_1_1 = [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448];
const RATES_1_2 = [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
const RATES_1_3 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const RATES_2_1 = [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256];
const RATES_2_23 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
/** Hz of version 1, by sampling frequency index. Version 2 has half of it, 2.5 a quarter. */
const FREQUENCIES = [44_100, 48_000, 32_000];
const VERSION_1 = 3;
const VERSION_2 = 2;
const RESERVED_VERSION = 1;
const LAYER_1 = 3;
const LAYER_3 = 1;
const RESERVED_EMPHASIS = 2;
const MONO = 3;

/**
 * Reads the header of an MPEG audio frame, layer I to III, version 1, 2 or 2.5.
 * @param at offset of the header.
 * @returns nothing when none stands there, when it is cut, or when it names no bit rate.
 */
export function readMpegAudioFrame(octets: Uint8Array, at: number): AudioFrame | undefined {
  if (octets.length < at + MPEG_AUDIO_HEADER) return undefined;
  const second = octets[at + 1]!;
  const third = octets[at + 2]!;
  if ((((octets[at]! << 8) | second) & SYNC) !== SYNC) return undefined;
  const version = (second >> 3) & 3;
  const layer = (second >> 1) & 3;
  const frequency = FREQUENCIES[(third >> 2) & 3];
  if (version === RESERVED_VERSION || layer === 0 || frequency === undefined) return undefined;
  if ((octets[at + 3]! & 3) === RESERVED_EMPHASIS) return undefined;
  const kilobits = ratesOf(version, layer)[third >> 4] ?? 0;
  if (kilobits === 0) return undefined;
  const rate = version === VERSION_1 ? frequency : version === VERSION_2 ? frequency / 2 : frequency / 4;
  const samples = layer === LAYER_1 ? 384 : layer === LAYER_3 && version !== VERSION_1 ? 576 : 1152;
  const unit = layer === LAYER_1 ? 4 : 1;
  const padding = (third >> 1) & 1;
  const length = unit * (Math.floor((samples * kilobits * 125) / (rate * unit)) + padding);
  return { length, samples, rate, kind: `mpeg ${version} ${layer}` };
}

function ratesOf(version: number, layer: number): readonly number[] {
  if (version === VERSION_1) return layer === LAYER_1 ? RATES_1_1 : layer === LAYER_3 ? RATES_1_3 : RATES_1_2;
  return layer === LAYER_1 ? RATES_2_1 : RATES_2_23;
}

/**
 * Whether a frame of layer III holds a table of contents and no sound (Xing, Info, VBRI). Players skip it.
 * @param frame all of it, or its first 40 octets and more.
 */
export function isTableOfContents(frame: Uint8Array): boolean {
  const version = (frame[1]! >> 3) & 3;
  const isMono = frame[3]! >> 6 === MONO;
  if (((frame[1]! >> 1) & 3) !== LAYER_3) return false;
  const sideInformation = version === VERSION_1 ? (isMono ? 17 : 32) : isMono ? 9 : 17;
  const name = (at: number) => String.fromCharCode(...frame.subarray(at, at + 4));
  const xing = name(MPEG_AUDIO_HEADER + sideInformation);
  return xing === 'Xing' || xing === 'Info' || name(MPEG_AUDIO_HEADER + 32) === 'VBRI';
}
