import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { PIN_LENGTH, PIN_TRIES } from '../../apdu/decode-module/pin.ts';
import { equalTags } from '../../apdu/octets.ts';
import type { PersistentState } from './memory/persistent-state.ts';
import type { TransientState } from './memory/transient-state.ts';
import { refuse } from './refusal.ts';

/** VERIFY (protocol 8). @param tried 8 octets. @throws Refusal 6A88, 6983, or 63Cx for a wrong PIN. */
export function verifyPin(persistent: PersistentState, transient: TransientState, tried: Uint8Array): void {
  const { pin, triesLeft } = persistent;
  if (pin === undefined) refuse(STATUS.UNKNOWN_KEY);
  if (triesLeft === 0) refuse(STATUS.PIN_BLOCKED);
  // The try is counted first, so that a power cut during the comparison costs it.
  transient.pinVerified = false;
  persistent.triesLeft = triesLeft - 1;
  if (!equalTags(pin, tried)) refuse(STATUS.WRONG_PIN | (triesLeft - 1));
  persistent.triesLeft = PIN_TRIES;
  transient.pinVerified = true;
}

/** CHANGE PIN (protocol 8). @param data old and new, 8 octets each. @throws Refusal as VERIFY does. */
export function changePin(persistent: PersistentState, transient: TransientState, data: Uint8Array): void {
  verifyPin(persistent, transient, data.subarray(0, PIN_LENGTH));
  persistent.pin = data.slice(PIN_LENGTH);
  transient.pinVerified = false;
}

/** @throws Refusal 6982 where the PIN has not been verified. */
export function requirePin({ pinVerified }: TransientState): void {
  if (!pinVerified) refuse(STATUS.SECURITY);
}

/** @throws Refusal 6982 where the PIN policy asks for the PIN before a session or a request. */
export function requirePinByPolicy({ limits }: PersistentState, transient: TransientState): void {
  if (limits.pinForSessions) requirePin(transient);
}

/** Whether the rating limit allows content of this rating, or a verified PIN lifts it. @param rating age, u8. */
export function allowsRating({ limits }: PersistentState, { pinVerified }: TransientState, rating: number): boolean {
  const { ratingLimit, pinLiftsRating } = limits;
  return ratingLimit === 0 || rating <= ratingLimit || (pinLiftsRating && pinVerified);
}
