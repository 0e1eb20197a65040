import { open } from 'node:fs/promises';
import { encodePin } from '../../../apdu/decode-module/pin.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { typeHidden } from './type-hidden.ts';

/** Where a PIN may stand instead of being typed. Never an argument: everybody on the machine can read those. */
interface PinSource {
  readonly variable: string;
  /** How the option for a file is called. */
  readonly option: string;
}

const PRESENT: PinSource = { variable: 'TOLLCAST_PIN', option: '--pin-file' };
export const NEW_PIN: PinSource = { variable: 'TOLLCAST_NEW_PIN', option: '--new-pin-file' };

const MOST_FILE = 64;

/**
 * The PIN of a card, from a file, the environment, or typed without being shown.
 * @returns 8 octets.
 * @throws TollcastError `PIN_NOT_GIVEN` when there is none of these; OutOfRangeError when it is no PIN.
 */
export async function askPin(file: string | undefined): Promise<Uint8Array> {
  return encodePin((await given(file, PRESENT)) ?? (await typed('PIN of the card:', PRESENT)));
}

/**
 * A new PIN; typed, it is typed twice.
 * @returns 8 octets.
 * @throws TollcastError `PIN_NOT_GIVEN` as {@link askPin} does, and when the two differ; OutOfRangeError when it is no PIN.
 */
export async function choosePin(file: string | undefined, source = PRESENT): Promise<Uint8Array> {
  const pin = await given(file, source);
  if (pin !== undefined) return encodePin(pin);
  const first = await typed('New PIN of the card:', source);
  if (first === (await typed('The same again:', source))) return encodePin(first);
  throw new TollcastError('PIN_NOT_GIVEN', 'the two PINs differ; type them again');
}

async function given(file: string | undefined, { variable }: PinSource): Promise<string | undefined> {
  if (file === undefined) return process.env[variable];
  try {
    const opened = await open(file, 'r');
    try {
      return (await opened.stat()).size > MOST_FILE ? '' : (await opened.readFile('utf8')).trim();
    } finally {
      await opened.close();
    }
  } catch (cause) {
    throw new TollcastError('PIN_NOT_GIVEN', `${file} cannot be read; name a file that holds the PIN`, { cause });
  }
}

async function typed(prompt: string, { variable, option }: PinSource): Promise<string> {
  const pin = await typeHidden(prompt);
  if (pin !== undefined) return pin;
  throw new TollcastError(
    'PIN_NOT_GIVEN',
    `no PIN was typed; use a terminal, ${option} FILE, or put it into ${variable}`,
  );
}
