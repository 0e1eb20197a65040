import { FormatError, OutOfRangeError } from '../errors.ts';
import { readUint, writeUint } from '../octets.ts';
import { readAmount, writeAmount } from './requests/signed-message.ts';

/** A spend limit that is none, in micro-units. */
export const NO_SPEND_LIMIT = 2 ** 48 - 1;

export const LIMITS_LENGTH = 16;

/** DGI 0002: what the holder of a card may do without the PIN; `firmware-notes/protocol.md` 3. */
export interface CardLimits {
  /** Most that may be taken on one day of media time, micro-units; {@link NO_SPEND_LIMIT}: no limit. */
  readonly spendLimit: bigint;
  /** Content of a higher rating is refused, u8; 0: none is. */
  readonly ratingLimit: number;
  /** A session and a request need the PIN. */
  readonly pinForSessions: boolean;
  /** A verified PIN lifts the rating limit. */
  readonly pinLiftsRating: boolean;
}

/** What holds on a card that was given no DGI 0002. */
export const NO_LIMITS: CardLimits = {
  spendLimit: BigInt(NO_SPEND_LIMIT),
  ratingLimit: 0,
  pinForSessions: false,
  pinLiftsRating: false,
};

/** @returns 16 octets. @throws OutOfRangeError when the limit or the rating does not fit. */
export function encodeCardLimits(limits: CardLimits): Uint8Array {
  const { ratingLimit } = limits;
  if (!Number.isInteger(ratingLimit) || ratingLimit < 0 || ratingLimit > 0xff) {
    throw new OutOfRangeError(`a rating limit of ${ratingLimit} does not fit; it is an age, 1 to 255, or 0 for none`);
  }
  const value = new Uint8Array(LIMITS_LENGTH);
  writeAmount(value, 0, limits.spendLimit, 'the spend limit');
  writeUint(value, 6, 1, ratingLimit);
  value[7] = (limits.pinForSessions ? 1 : 0) | (limits.pinLiftsRating ? 2 : 0);
  return value;
}

/** @throws FormatError when it is not 16 octets, or sets what this version reserves. */
export function decodeCardLimits(value: Uint8Array): CardLimits {
  const policy = value[7] ?? 0;
  if (value.length !== LIMITS_LENGTH || policy > 3 || value.subarray(8).some((octet) => octet !== 0)) {
    throw new FormatError(`the limits of a card have ${LIMITS_LENGTH} octets, and zeros where this version reserves`);
  }
  return {
    spendLimit: readAmount(value, 0),
    ratingLimit: readUint(value, 6, 1),
    pinForSessions: (policy & 1) !== 0,
    pinLiftsRating: (policy & 2) !== 0,
  };
}
