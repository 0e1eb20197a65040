import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { ModuleError } from '../../apdu/decode-module/module-status.ts';
import { TollcastError } from '../../apdu/errors.ts';

const NEW_PIN = 'ask the issuer for a new one: tollcast issuer pin';

/** A PIN as `encodePin` makes it, or one that the holder enters at the keypad of the reader. */
export type Pin = Uint8Array | 'pin pad';

/**
 * Verifies a PIN, once.
 * @throws TollcastError `WRONG_PIN`, `PIN_BLOCKED`, `NO_PIN`; the message says what to do.
 * @throws TransportError `NO_PIN_PAD`, `PIN_NOT_GIVEN` when it is to be entered at the reader.
 */
export async function presentPin(module: DecodeModule, pin: Pin): Promise<void> {
  try {
    await (pin === 'pin pad' ? module.enterPin() : module.verifyPin(pin));
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
  switch (error.code) {
    case 'WRONG_PIN': {
      // The low half octet of the status word is the number of tries left.
      const tries = error.status & 0x0f;
      const left = tries === 1 ? 'one try is left' : `${tries} tries are left`;
      const text = tries === 0 ? `wrong PIN, it is blocked now; ${NEW_PIN}` : `wrong PIN, ${left}; type it again`;
      return new TollcastError('WRONG_PIN', text);
    }
    case 'PIN_BLOCKED':
      return new TollcastError('PIN_BLOCKED', `the PIN is blocked; ${NEW_PIN}`);
    case 'UNKNOWN_KEY':
      return new TollcastError('NO_PIN', 'this card has no PIN; ask the issuer for one: tollcast issuer pin');
    default:
      return undefined;
  }
}
