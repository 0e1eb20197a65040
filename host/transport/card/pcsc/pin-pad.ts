import { TransportError } from '../../../../apdu/errors.ts';
import { readUint } from '../../../../apdu/octets.ts';
import type { CardConnection } from './pcsclite-reader.ts';

/** PC/SC part 10, 2.2: a reader lists its features, each with the number by which it is asked for it. */
const GET_FEATURE_REQUEST = 3400;
const VERIFY_PIN_DIRECT = 0x06;
/** Tag, length, and a control code of 4 octets. */
const FEATURE = 6;
const CONTROL_CODE = 4;

/** Seconds within which the first digit has to come, and the next ones. */
const FIRST_DIGIT = 30;
const NEXT_DIGIT = 15;
/** ASCII, from the left, behind 0 octets of the command's data. */
const FORMAT_ASCII_LEFT = 0x82;
/** No length stands before the PIN, which has a block of so many octets. */
const BLOCK = 0x08;
/** 4 to 8 digits. */
const DIGITS = 0x0408;
/** The holder ends the PIN with the key for it. */
const VALIDATION_KEY = 0x02;
/** The reader shows a text of its own, in English. */
const ONE_MESSAGE = 0x01;
const ENGLISH = 0x0409;
const HEAD = 19;

/** The reader's own words for a PIN that did not come (part 10, 2.5.2). */
const TIMED_OUT = 0x6400;
const CANCELLED = 0x6401;

/**
 * Has the holder enter a PIN at the keypad of the reader (PC/SC part 10, FEATURE_VERIFY_PIN_DIRECT).
 * @param command whose 8 octets of data are for the PIN.
 * @returns the card's answer.
 * @throws TransportError `NO_PIN_PAD` when the reader has no keypad, `PIN_NOT_GIVEN` when nobody entered a PIN.
 */
export async function enterPin(connection: CardConnection, reader: string, command: Uint8Array): Promise<Uint8Array> {
  const features = await connection.control(GET_FEATURE_REQUEST, new Uint8Array()).catch(() => new Uint8Array());
  const code = findFeature(features, VERIFY_PIN_DIRECT);
  if (code === undefined) {
    const text = `${reader} has no keypad, or its driver does not tell; type the PIN at the computer instead: --pin`;
    throw new TransportError('NO_PIN_PAD', text);
  }
  const answer = await connection.control(code, encodeVerification(command));
  const status = answer.length < 2 ? TIMED_OUT : readUint(answer, answer.length - 2, 2);
  if (status === TIMED_OUT) throw new TransportError('PIN_NOT_GIVEN', `no PIN was entered at ${reader}; start again`);
  if (status === CANCELLED) {
    throw new TransportError('PIN_NOT_GIVEN', `entering the PIN was cancelled at ${reader}; start again`);
  }
  return answer;
}

/** @returns the control code of a feature; undefined where the reader does not have it. */
function findFeature(features: Uint8Array, wanted: number): number | undefined {
  for (let at = 0; at + FEATURE <= features.length; at += FEATURE) {
    if (features[at] === wanted && features[at + 1] === CONTROL_CODE) return readUint(features, at + 2, CONTROL_CODE);
  }
  return undefined;
}

/** Encodes PIN_VERIFY_STRUCTURE (part 10, 2.5.2), whose numbers are in this machine's order: little-endian. */
function encodeVerification(command: Uint8Array): Uint8Array {
  const octets = new Uint8Array(HEAD + command.length);
  const view = new DataView(octets.buffer);
  octets.set([FIRST_DIGIT, NEXT_DIGIT, FORMAT_ASCII_LEFT, BLOCK, 0]);
  view.setUint16(5, DIGITS, true);
  octets.set([VALIDATION_KEY, ONE_MESSAGE], 7);
  view.setUint16(9, ENGLISH, true);
  view.setUint32(15, command.length, true);
  octets.set(command, HEAD);
  return octets;
}
