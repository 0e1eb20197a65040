import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { PIN_LENGTH, PIN_TRIES } from '../../apdu/decode-module/pin.ts';
import { equalTags } from '../../apdu/octets.ts';
import type { PersistentState } from './memory/persistent-state.ts';
import type { TransientState } from './memory/transient-state.ts';

/** VERIFY; `firmware-notes/protocol.md` 8. @param tried 8 octets. @returns the status word. */
export function verifyPin(persistent: PersistentState, transient: TransientState, tried: Uint8Array): number {
  const { pin, triesLeft } = persistent;
  if (pin === undefined) return STATUS.UNKNOWN_KEY;
  if (triesLeft === 0) return STATUS.PIN_BLOCKED;
  // The try is gone before its outcome is known: who cuts the power in between has one less.
  transient.pinVerified = false;
  persistent.triesLeft = triesLeft - 1;
  if (!equalTags(pin, tried)) return STATUS.WRONG_PIN | (triesLeft - 1);
  persistent.triesLeft = PIN_TRIES;
  transient.pinVerified = true;
  return STATUS.DONE;
}

/** CHANGE PIN. @param data old and new, 8 octets each. @returns the status word. */
export function changePin(persistent: PersistentState, transient: TransientState, data: Uint8Array): number {
  const status = verifyPin(persistent, transient, data.subarray(0, PIN_LENGTH));
  if (status !== STATUS.DONE) return status;
  persistent.pin = data.slice(PIN_LENGTH);
  transient.pinVerified = false;
  return STATUS.DONE;
}

/** Whether the PIN policy lets a session begin, or a request be signed. */
export function mayOpen(persistent: PersistentState, transient: TransientState): boolean {
  return transient.pinVerified || !persistent.limits.pinForSessions;
}

/** @param rating age, u8. */
export function allowsRating(persistent: PersistentState, transient: TransientState, rating: number): boolean {
  const { ratingLimit, pinLiftsRating } = persistent.limits;
  return ratingLimit === 0 || rating <= ratingLimit || (pinLiftsRating && transient.pinVerified);
}
