import { IssuerError } from '../../issuer/issuer-error.ts';
import { typeHidden } from './type-hidden.ts';

/** Where a passphrase may stand instead of being typed. Never an argument: everybody on the machine can read those. */
const PASSPHRASE_VARIABLE = 'TOLLCAST_PASSPHRASE';

/**
 * The passphrase of the issuer's store, from the environment or typed without being shown.
 * @throws IssuerError `NO_PASSPHRASE` when there is neither, or none was typed.
 */
export async function askPassphrase(): Promise<string> {
  return process.env[PASSPHRASE_VARIABLE] ?? (await prompt('Passphrase of the issuer store:'));
}

/**
 * A new passphrase, typed twice.
 * @throws IssuerError `NO_PASSPHRASE` as {@link askPassphrase} does, and when the two differ.
 */
export async function choosePassphrase(): Promise<string> {
  const given = process.env[PASSPHRASE_VARIABLE];
  if (given !== undefined) return given;
  const first = await prompt('New passphrase of the issuer store:');
  const second = await prompt('The same again:');
  if (first !== second) throw new IssuerError('NO_PASSPHRASE', 'the two passphrases differ; type them again');
  return first;
}

async function prompt(text: string): Promise<string> {
  const typed = await typeHidden(text);
  if (typed !== undefined) return typed;
  throw new IssuerError(
    'NO_PASSPHRASE',
    `no passphrase was typed; use a terminal, or put it into ${PASSPHRASE_VARIABLE}`,
  );
}
