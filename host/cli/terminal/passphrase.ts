import { IssuerError } from '../../issuer/issuer-error.ts';
import { askHidden } from './ask.ts';
import { readSecret } from './environment-secrets.ts';

const PASSPHRASE_VARIABLE = 'TOLLCAST_PASSPHRASE';

/**
 * Reads the passphrase of the issuer store from the environment, or asks for it without showing it.
 * @throws IssuerError `NO_PASSPHRASE` when there is neither, or none was typed.
 */
export async function askPassphrase(): Promise<string> {
  return readSecret(PASSPHRASE_VARIABLE) ?? (await typePassphrase('Passphrase of the issuer store:'));
}

/**
 * Reads a new passphrase; one that is typed is typed twice.
 * @throws IssuerError `NO_PASSPHRASE` as {@link askPassphrase} does, and when the two differ.
 */
export async function choosePassphrase(): Promise<string> {
  const given = readSecret(PASSPHRASE_VARIABLE);
  if (given !== undefined) return given;
  const first = await typePassphrase('New passphrase of the issuer store:');
  const second = await typePassphrase('The same again:');
  if (first !== second) throw new IssuerError('NO_PASSPHRASE', 'the two passphrases differ; type them again');
  return first;
}

async function typePassphrase(text: string): Promise<string> {
  const typed = await askHidden(text);
  if (typed !== undefined) return typed;
  throw new IssuerError(
    'NO_PASSPHRASE',
    `no passphrase was typed; use a terminal, or put it into ${PASSPHRASE_VARIABLE}`,
  );
}
