import type { AudioFrame } from './audio-frame.ts';
import { readTagLength } from './audio-tag.ts';
import { readAudioFrame } from './read-audio-frame.ts';

/** Frames in line that show audio anywhere. */
const FRAMES = 5;
/** So many are enough when nothing follows them. */
const FRAMES_TO_END = 3;
/** Octets in front of the first whole frame: more than the longest frame has. */
const MAX_JUNK = 0x2000;

/**
 * Whether a source is MPEG audio or ADTS: frames in line, behind tags or a cut frame.
 * @param head its first octets.
 */
export function detectAudio(head: Uint8Array): boolean {
  let begin = 0;
  for (let tag = readTagLength(head, 0); tag !== undefined && tag > 0; tag = readTagLength(head, begin)) {
    begin += tag;
    // What lies behind the tag cannot be seen from here. Only audio begins so.
    if (begin >= head.length) return true;
  }
  for (let at = begin; at <= Math.min(begin + MAX_JUNK, head.length); at++) {
    const { frames, reachesEnd } = countFrames(head, at);
    if (frames >= FRAMES || (reachesEnd && frames >= (at === begin ? 2 : FRAMES_TO_END))) return true;
  }
  return false;
}

function countFrames(head: Uint8Array, from: number): { frames: number; reachesEnd: boolean } {
  let at = from;
  let frames = 0;
  let first: AudioFrame | undefined;
  while (frames < FRAMES) {
    const frame = readAudioFrame(head, at);
    if (frame === undefined) return { frames, reachesEnd: at >= head.length };
    first ??= frame;
    if (frame.kind !== first.kind || frame.rate !== first.rate) return { frames, reachesEnd: false };
    at += frame.length;
    frames += 1;
    if (at >= head.length) return { frames, reachesEnd: true };
  }
  return { frames, reachesEnd: false };
}
