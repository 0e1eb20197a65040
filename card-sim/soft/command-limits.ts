import { CAPABILITY } from '../../apdu/decode-module/select-answer.ts';
import { OutOfRangeError } from '../../apdu/errors.ts';
import { CARD_HEADER, CARD_TAG } from '../../apdu/layout/packets.ts';

/** What follows from the length of a card's APDU buffer (protocol 2.1). */
export interface CommandLimits {
  readonly capabilities: number;
  /** Most octets of a span. */
  readonly maxSpan: number;
  /** Most octets of data in one command. */
  readonly maxCommandData: number;
  /** A longer list is cut here. */
  readonly listPart: number;
}

const BLOCK = 16;
const MIN_BUFFER = 133;
const MAX_BUFFER = 261;
/** Of a command: CLA, INS, P1, P2, Lc and Le. */
const BESIDE_DATA = 6;
/** Octets of a key in a list (protocol 4.4). */
const LIST_ENTRY = 20;
/** The longest messages that need the capability. */
const SEED_MESSAGE = 240;
const MESSAGE_UNDER_POINT = 176;
/** What every card has. */
const CAPABILITIES =
  (1 << CAPABILITY.suite1) |
  (1 << CAPABILITY.octets) |
  (1 << CAPABILITY.duration) |
  (1 << CAPABILITY.flat) |
  (1 << CAPABILITY.scp03) |
  (1 << CAPABILITY.pin) |
  (1 << CAPABILITY.tree) |
  (1 << CAPABILITY.blind);

/**
 * @param buffer length of the APDU buffer, 133 to 261.
 * @throws OutOfRangeError
 */
export function deriveCommandLimits(buffer: number = MAX_BUFFER): CommandLimits {
  if (!Number.isInteger(buffer) || buffer < MIN_BUFFER || buffer > MAX_BUFFER) {
    throw new OutOfRangeError(`an APDU buffer has ${MIN_BUFFER} to ${MAX_BUFFER} octets, not ${buffer}`);
  }
  const maxCommandData = buffer - BESIDE_DATA;
  const room = maxCommandData - CARD_HEADER.length - CARD_TAG;
  // An R-MAC behind the longest part fits the buffer, too.
  const listRoom = maxCommandData - 2;
  return {
    capabilities:
      CAPABILITIES |
      (maxCommandData < SEED_MESSAGE ? 0 : 1 << CAPABILITY.marks) |
      (maxCommandData < MESSAGE_UNDER_POINT ? 0 : 1 << CAPABILITY.p256),
    maxSpan: room - (room % BLOCK),
    maxCommandData,
    listPart: listRoom - (listRoom % LIST_ENTRY),
  };
}
