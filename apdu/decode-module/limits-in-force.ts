import { LIMITS_IN_FORCE } from '../layout/card.ts';
import { type CardLimits, parsePinPolicy, encodePinPolicy } from './card-limits.ts';

/** Stands for the tries left where no PIN was set. */
const NO_PIN = 0xff;

/** What holds for the holder of a card at present; `firmware-notes/protocol.md` 2.3. */
export interface LimitsInForce extends Omit<CardLimits, 'spendLimit'> {
  /** Tries left of the PIN, 0 when it is blocked; undefined where no PIN was set. */
  readonly triesLeft: number | undefined;
  /** Whether the PIN is verified. */
  readonly pinVerified: boolean;
}

/** @throws FormatError when it is not 4 octets, or sets what this version reserves. */
export function parseLimitsInForce(answer: Uint8Array): LimitsInForce {
  const { ratingLimit, pinPolicy, triesLeft, verified } = LIMITS_IN_FORCE.decode(answer);
  return {
    ratingLimit,
    ...parsePinPolicy(pinPolicy),
    triesLeft: triesLeft === NO_PIN ? undefined : triesLeft,
    pinVerified: verified === 1,
  };
}

/** Makes the 4 octets that a card answers. */
export function encodeLimitsInForce(limits: LimitsInForce): Uint8Array {
  const { ratingLimit, triesLeft = NO_PIN, pinVerified } = limits;
  return LIMITS_IN_FORCE.encode({
    ratingLimit,
    pinPolicy: encodePinPolicy(limits),
    triesLeft,
    verified: pinVerified ? 1 : 0,
  });
}
