import { open } from 'node:fs/promises';
import { encodePin } from '../../../apdu/decode-module/pin.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { askHidden } from './ask.ts';
import { readSecret, type SecretVariable } from './environment-secrets.ts';

/** Where a PIN may stand instead of being typed. */
interface PinSource {
  readonly variable: SecretVariable;
  /** The option that names a file. */
  readonly option: string;
}

const PRESENT: PinSource = { variable: 'TOLLCAST_PIN', option: '--pin-file' };
export const NEW_PIN: PinSource = { variable: 'TOLLCAST_NEW_PIN', option: '--new-pin-file' };

/** A file with a PIN is not longer than this many octets. */
const MAX_FILE = 64;

/**
 * Reads the PIN of a card from a file or the environment, or asks for it without showing it.
 * @returns 8 octets.
 * @throws TollcastError `PIN_NOT_GIVEN` when there is none of these; OutOfRangeError when it is not a PIN.
 */
export async function askPin(file: string | undefined): Promise<Uint8Array> {
  return encodePin((await readGiven(file, PRESENT)) ?? (await typePin('PIN of the card:', PRESENT)));
}

/**
 * Reads a new PIN as {@link askPin} does; one that is typed is typed twice.
 * @returns 8 octets.
 * @throws TollcastError `PIN_NOT_GIVEN` as {@link askPin} does, and when the two differ.
 * @throws OutOfRangeError when it is not a PIN.
 */
export async function choosePin(file: string | undefined, source = PRESENT): Promise<Uint8Array> {
  const pin = await readGiven(file, source);
  if (pin !== undefined) return encodePin(pin);
  const first = await typePin('New PIN of the card:', source);
  if (first === (await typePin('The same again:', source))) return encodePin(first);
  throw new TollcastError('PIN_NOT_GIVEN', 'the two PINs differ; type them again');
}

async function readGiven(file: string | undefined, { variable }: PinSource): Promise<string | undefined> {
  if (file === undefined) return readSecret(variable);
  try {
    const opened = await open(file, 'r');
    try {
      return (await opened.stat()).size > MAX_FILE ? '' : (await opened.readFile('utf8')).trim();
    } finally {
      await opened.close();
    }
  } catch (cause) {
    throw new TollcastError('PIN_NOT_GIVEN', `${file} cannot be read; name a file that holds the PIN`, { cause });
  }
}

async function typePin(prompt: string, { variable, option }: PinSource): Promise<string> {
  const pin = await askHidden(prompt);
  if (pin !== undefined) return pin;
  throw new TollcastError(
    'PIN_NOT_GIVEN',
    `no PIN was typed; use a terminal, ${option} FILE, or put it into ${variable}`,
  );
}
