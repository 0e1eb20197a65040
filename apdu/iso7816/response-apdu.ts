import { allocate } from '../allocate.ts';
import { FormatError, OutOfRangeError } from '../errors.ts';

/** Most octets of data in one answer (extended Le 0000). */
export const MAX_RESPONSE_DATA = 65_536;
/** Longest response APDU: data and status word. */
export const MAX_RESPONSE_OCTETS = MAX_RESPONSE_DATA + 2;

/** A response APDU (ISO/IEC 7816-4 5.1). */
export interface ResponseApdu {
  /** 0..65,536 octets. */
  readonly data: Uint8Array;
  /** Status word SW1-SW2, 0..0xFFFF. */
  readonly status: number;
}

/** The status word of a raw answer of at least 2 octets. */
export function statusOf(answer: Uint8Array): number {
  const end = answer.length;
  return (answer[end - 2]! << 8) | answer[end - 1]!;
}

/**
 * Splits an answer into data and status word. `data` is a view of the octets handed in, not a copy.
 * @throws FormatError unless it has 2 to 65,538 octets.
 */
export function parseResponse(answer: Uint8Array): ResponseApdu {
  const length = answer.length;
  if (length < 2 || length > MAX_RESPONSE_OCTETS) {
    throw new FormatError(
      `a response APDU has 2 to ${MAX_RESPONSE_OCTETS} octets, not ${length}; the card or its link is faulty`,
    );
  }
  return { data: answer.subarray(0, length - 2), status: statusOf(answer) };
}

/**
 * What a card answers: data, then status word.
 * @throws OutOfRangeError when either does not fit.
 */
export function encodeResponse(data: Uint8Array, status: number): Uint8Array {
  if (data.length > MAX_RESPONSE_DATA) {
    throw new OutOfRangeError(`an answer holds 0 to ${MAX_RESPONSE_DATA} octets of data, not ${data.length}`);
  }
  if (status >>> 16 !== 0) throw new OutOfRangeError(`a status word is 0 to 65535, not ${status}`);
  const answer = allocate(data.length + 2);
  answer.set(data);
  answer[data.length] = status >>> 8;
  answer[data.length + 1] = status;
  return answer;
}
