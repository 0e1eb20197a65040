import { OutOfRangeError } from '../errors.ts';

/** Octets of a PIN in a command; `firmware-notes/protocol.md` 8. */
export const PIN_LENGTH = 8;
/** Wrong ones that a card takes, one after the other. */
export const PIN_TRIES = 3;

const LEAST_DIGITS = 4;

/**
 * A PIN as VERIFY takes it: ASCII digits, unused octets FF.
 * @param pin 4 to 8 digits.
 * @throws OutOfRangeError, which does not tell the PIN.
 */
export function encodePin(pin: string): Uint8Array {
  if (!/^[0-9]+$/.test(pin) || pin.length < LEAST_DIGITS || pin.length > PIN_LENGTH) {
    throw new OutOfRangeError(`a PIN has ${LEAST_DIGITS} to ${PIN_LENGTH} digits; type it again`);
  }
  const octets = new Uint8Array(PIN_LENGTH).fill(0xff);
  new TextEncoder().encodeInto(pin, octets);
  return octets;
}
