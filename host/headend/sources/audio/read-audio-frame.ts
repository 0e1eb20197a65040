import { readAdtsFrame } from './adts-frame.ts';
import type { AudioFrame } from './audio-frame.ts';
import { readMpegAudioFrame } from './mpeg-audio-frame.ts';

/** So many octets decide whether a frame starts there. */
export const ENOUGH_FOR_HEADER = 7;

/** Reads the header of a frame of either format. */
export function readAudioFrame(octets: Uint8Array, at: number): AudioFrame | undefined {
  return readMpegAudioFrame(octets, at) ?? readAdtsFrame(octets, at);
}
