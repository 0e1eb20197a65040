import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { ModuleError, STATUS } from '../../apdu/decode-module/module-status.ts';
import { TollcastError } from '../../apdu/errors.ts';

/**
 * Verifies a PIN, once.
 * @param pin as `encodePin` makes it.
 * @throws TollcastError `WRONG_PIN`, `PIN_BLOCKED`, `NO_PIN`; the message says what to do.
 */
export async function presentPin(module: DecodeModule, pin: Uint8Array): Promise<void> {
  try {
    await module.verifyPin(pin);
  } catch (error) {
    throw pinError(error) ?? error;
  }
}

/**
 * Puts a new PIN in the place of the present one.
 * @param pin the present PIN, and `newPin`, as `encodePin` makes them.
 * @throws TollcastError as `presentPin` does.
 */
export async function changePin(module: DecodeModule, pin: Uint8Array, newPin: Uint8Array): Promise<void> {
  try {
    await module.changePin(pin, newPin);
  } catch (error) {
    throw pinError(error) ?? error;
  }
}

/** What VERIFY and CHANGE PIN answer, in words for the holder; undefined for any other error. */
function pinError(error: unknown): TollcastError | undefined {
  if (!(error instanceof ModuleError)) return undefined;
  const { status } = error;
  if (error.code === 'WRONG_PIN') {
    const tries = status & 0x0f;
    const left = tries === 1 ? 'one try is left' : `${tries} tries are left`;
    const next = tries === 0 ? 'ask the issuer for a new one: tollcast issuer pin' : 'type it again';
    return new TollcastError('WRONG_PIN', `wrong PIN, ${tries === 0 ? 'it is blocked now' : left}; ${next}`);
  }
  if (status === STATUS.PIN_BLOCKED) {
    return new TollcastError('PIN_BLOCKED', 'the PIN is blocked; ask the issuer for a new one: tollcast issuer pin');
  }
  if (status === STATUS.UNKNOWN_KEY) {
    return new TollcastError('NO_PIN', 'this card has no PIN; ask the issuer for one: tollcast issuer pin');
  }
  return undefined;
}
