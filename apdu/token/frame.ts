import { OutOfRangeError } from '../errors.ts';
import { readUint, writeUint } from '../octets.ts';

/** Octets of a frame; `firmware-notes/tokens.md` 1. */
export const FRAME_LENGTH = 64;
/** Octets of a message, as its length field has two. */
export const MAX_MESSAGE = 65_535;

const AT = { channel: 0, tag: 2, sequence: 3, length: 5 } as const;
const FIRST_DATA_AT = 7;
const NEXT_DATA_AT = 5;

/** Kinds of messages; `firmware-notes/tokens.md` 2. */
export const TOKEN_TAG = { RESET: 0x04, APDU: 0x05, KEEP_ALIVE: 0x06, ERROR: 0x07, CANCEL: 0x08 } as const;

/** What an ERROR says; `firmware-notes/tokens.md` 2. */
export const TOKEN_ERROR = {
  WRONG_SEQUENCE: 0x01,
  WRONG_LENGTH: 0x02,
  OTHER_CHANNEL: 0x03,
  UNKNOWN_TAG: 0x04,
  NO_CARD: 0x05,
  BUSY: 0x06,
} as const;

export interface TokenMessage {
  /** 0001 to FFFE. */
  readonly channel: number;
  readonly tag: number;
  readonly data: Uint8Array;
}

/** Whether a host may choose this channel. */
export function isTokenChannel(channel: number): boolean {
  return channel > 0 && channel < 0xffff;
}

/**
 * Cuts a message into frames.
 * @throws OutOfRangeError when channel or length does not fit.
 */
export function encodeFrames({ channel, tag, data }: TokenMessage): Uint8Array[] {
  if (!isTokenChannel(channel)) throw new OutOfRangeError(`channel ${channel} is not one of 1 to 65534`);
  if (data.length > MAX_MESSAGE) {
    throw new OutOfRangeError(`a message to a token has ${MAX_MESSAGE} octets at most, not ${data.length}`);
  }
  const frames: Uint8Array[] = [];
  let at = 0;
  do {
    const frame = new Uint8Array(FRAME_LENGTH);
    const sequence = frames.length;
    writeUint(frame, AT.channel, 2, channel);
    frame[AT.tag] = tag;
    writeUint(frame, AT.sequence, 2, sequence);
    if (sequence === 0) writeUint(frame, AT.length, 2, data.length);
    const dataAt = dataStart(sequence);
    const part = data.subarray(at, at + FRAME_LENGTH - dataAt);
    frame.set(part, dataAt);
    frames.push(frame);
    at += part.length;
  } while (at < data.length);
  return frames;
}

export interface Frame {
  readonly channel: number;
  readonly tag: number;
  readonly sequence: number;
  /** Of the whole message; in the first frame alone. */
  readonly length: number | undefined;
  /** With the zeros behind the end of the message; a view. */
  readonly data: Uint8Array;
}

/** @returns undefined for what is no frame: it is to be ignored. */
export function readFrame(octets: Uint8Array): Frame | undefined {
  if (octets.length !== FRAME_LENGTH) return undefined;
  const channel = readUint(octets, AT.channel, 2);
  if (!isTokenChannel(channel)) return undefined;
  const sequence = readUint(octets, AT.sequence, 2);
  return {
    channel,
    tag: octets[AT.tag]!,
    sequence,
    length: sequence === 0 ? readUint(octets, AT.length, 2) : undefined,
    data: octets.subarray(dataStart(sequence)),
  };
}

function dataStart(sequence: number): number {
  return sequence === 0 ? FIRST_DATA_AT : NEXT_DATA_AT;
}
