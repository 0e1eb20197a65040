import { FormatError } from '../errors.ts';
import { CARD_LIMITS } from '../layout/card.ts';
import type { Values } from '../layout/field-table.ts';

/** The value that means: no spend limit. */
export const NO_SPEND_LIMIT = 2 ** 48 - 1;

/** Bits of the PIN policy. */
const PIN_POLICY = { forSessions: 1, liftsRating: 2 } as const;
export const MAX_PIN_POLICY = PIN_POLICY.forSessions | PIN_POLICY.liftsRating;

/** DGI 0002: what the holder of a card may do without the PIN; `firmware-notes/protocol.md` 3. */
export type CardLimits = Omit<Values<typeof CARD_LIMITS>, 'pinPolicy'> & {
  /** A session and a request need the PIN. */
  readonly pinForSessions: boolean;
  /** A verified PIN lifts the rating limit. */
  readonly pinLiftsRating: boolean;
};

/** What holds on a card that was given no DGI 0002. */
export const NO_LIMITS: CardLimits = {
  spendLimit: BigInt(NO_SPEND_LIMIT),
  ratingLimit: 0,
  pinForSessions: false,
  pinLiftsRating: false,
};

type PinPolicy = Pick<CardLimits, 'pinForSessions' | 'pinLiftsRating'>;

/** The octet of a PIN policy. */
export function encodePinPolicy({ pinForSessions, pinLiftsRating }: PinPolicy): number {
  return (pinForSessions ? PIN_POLICY.forSessions : 0) | (pinLiftsRating ? PIN_POLICY.liftsRating : 0);
}

/** @throws FormatError when the octet sets bits that this version reserves. */
export function parsePinPolicy(octet: number): PinPolicy {
  if (octet > MAX_PIN_POLICY) throw new FormatError(`PIN policy ${octet} sets bits that this version reserves`);
  return {
    pinForSessions: (octet & PIN_POLICY.forSessions) !== 0,
    pinLiftsRating: (octet & PIN_POLICY.liftsRating) !== 0,
  };
}

/** @returns 16 octets. @throws OutOfRangeError when the limit or the rating does not fit. */
export function encodeCardLimits({ pinForSessions, pinLiftsRating, ...limits }: CardLimits): Uint8Array {
  return CARD_LIMITS.encode({ ...limits, pinPolicy: encodePinPolicy({ pinForSessions, pinLiftsRating }) });
}

/** @throws FormatError when it is not 16 octets, or sets what this version reserves. */
export function decodeCardLimits(value: Uint8Array): CardLimits {
  const { pinPolicy, ...limits } = CARD_LIMITS.decode(value);
  return { ...limits, ...parsePinPolicy(pinPolicy) };
}
