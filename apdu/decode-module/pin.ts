import { OutOfRangeError } from '../errors.ts';

/** Octets of a PIN in a command; `firmware-notes/protocol.md` 8. */
export const PIN_LENGTH = 8;
/** Wrong PINs in a row that block it. */
export const PIN_TRIES = 3;

const MIN_DIGITS = 4;

/**
 * Makes of a PIN what VERIFY takes: ASCII digits, unused octets FF.
 * @param pin 4 to 8 digits.
 * @throws OutOfRangeError whose message does not tell the PIN.
 */
export function encodePin(pin: string): Uint8Array {
  if (!/^[0-9]+$/.test(pin) || pin.length < MIN_DIGITS || pin.length > PIN_LENGTH) {
    throw new OutOfRangeError(`a PIN has ${MIN_DIGITS} to ${PIN_LENGTH} digits; type it again`);
  }
  const octets = new Uint8Array(PIN_LENGTH).fill(0xff);
  new TextEncoder().encodeInto(pin, octets);
  return octets;
}
