import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { IssuerError } from '../../issuer/issuer-error.ts';
import { askHidden } from './ask.ts';
import { readSecret, type SecretVariable } from './environment-secrets.ts';

/** Where a passphrase may stand, instead of in the environment or being typed. */
export interface PassphraseOptions {
  readonly passphraseFile?: string;
  readonly passphraseKey?: string;
}

/** Where the passphrase of a store may be found; a new one has other places than the present one. */
interface PassphraseSource {
  readonly variable: SecretVariable;
  /** The option that names a file. */
  readonly option: string;
  /** Name of the systemd credential. */
  readonly credential: string;
}

const PRESENT: PassphraseSource = {
  variable: 'TOLLCAST_PASSPHRASE',
  option: '--passphrase-file',
  credential: 'tollcast-passphrase',
};
const NEW: PassphraseSource = {
  variable: 'TOLLCAST_NEW_PASSPHRASE',
  option: '--new-passphrase-file',
  credential: 'tollcast-new-passphrase',
};

/** Octets of a file with a passphrase. */
const MAX_FILE = 4096;

/** Adds the options that say where the passphrase is. */
export function addPassphraseOptions(command: Command): Command {
  return command
    .option('--passphrase-file <file>', 'the passphrase is in this file (default: in TOLLCAST_PASSPHRASE, or typed)')
    .option('--passphrase-key <name>', 'the passphrase is this user key of the keyring (keyctl)');
}

/**
 * Reads the passphrase of the issuer store: from the file or the key of the keyring that is named, else from the
 * environment or the systemd credential `tollcast-passphrase`, else it is typed without being shown.
 * @throws IssuerError `NO_PASSPHRASE` when there is none of these, or it cannot be read.
 */
export async function askPassphrase(options: PassphraseOptions): Promise<string> {
  return (await readGiven(options, PRESENT)) ?? (await typePassphrase('Passphrase of the issuer store:', PRESENT));
}

/**
 * Reads the passphrase of a store that is about to be made as {@link askPassphrase} does; one that is typed is typed
 * twice.
 * @throws IssuerError `NO_PASSPHRASE` as {@link askPassphrase} does, and when the two differ.
 */
export async function choosePassphrase(options: PassphraseOptions): Promise<string> {
  return (await readGiven(options, PRESENT)) ?? typeTwice(PRESENT);
}

/** Reads the passphrase that is to take the place of the present one, as {@link choosePassphrase} does. */
export async function chooseNewPassphrase(file: string | undefined): Promise<string> {
  return (await readGiven({ ...(file !== undefined && { passphraseFile: file }) }, NEW)) ?? typeTwice(NEW);
}

async function readGiven(
  { passphraseFile: file, passphraseKey: key }: PassphraseOptions,
  { variable, credential }: PassphraseSource,
): Promise<string | undefined> {
  if (file !== undefined && key !== undefined) {
    throw new IssuerError('NO_PASSPHRASE', 'two places are named; leave out --passphrase-file or --passphrase-key');
  }
  if (file !== undefined) return readPassphraseFile(file);
  if (key !== undefined) return readKeyring(key);
  const given = readSecret(variable);
  if (given !== undefined) return given;
  const directory = process.env['CREDENTIALS_DIRECTORY'];
  if (directory === undefined) return undefined;
  const path = join(directory, credential);
  const isThere = await access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
  return isThere ? readPassphraseFile(path) : undefined;
}

/** @returns what is in the file, without the line's end that editors add. */
async function readPassphraseFile(path: string): Promise<string> {
  let text: string;
  try {
    const file = await open(path, 'r');
    try {
      const stat = await file.stat();
      if (process.platform !== 'win32' && stat.isFile() && (stat.mode & 0o077) !== 0) {
        throw new IssuerError('NO_PASSPHRASE', `others may read ${path}; type: chmod 600 ${path}`);
      }
      // A pipe, as of a password manager, has no size.
      const start = new Uint8Array(MAX_FILE + 1);
      let filled = 0;
      for (;;) {
        const { bytesRead } = await file.read(start, filled, start.length - filled);
        filled += bytesRead;
        if (bytesRead === 0 || filled === start.length) break;
      }
      text = Buffer.from(start.buffer, 0, filled).toString('utf8');
      start.fill(0);
      if (filled > MAX_FILE) throw new IssuerError('NO_PASSPHRASE', `${path} is too long to hold a passphrase`);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof IssuerError) throw cause;
    throw new IssuerError('NO_PASSPHRASE', `${path} cannot be read; name a file that holds the passphrase`, { cause });
  }
  const passphrase = text.replace(/\r?\n$/, '');
  if (passphrase !== '') return passphrase;
  throw new IssuerError('NO_PASSPHRASE', `${path} is empty; write the passphrase into it`);
}

async function readKeyring(name: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('keyctl', ['pipe', `%user:${name}`], { maxBuffer: MAX_FILE });
    if (stdout !== '') return stdout;
  } catch {
    // Not even the cause is passed on, as it may hold what was read.
  }
  throw new IssuerError(
    'NO_PASSPHRASE',
    `the keyring gives no user key ${name}; install keyutils, and add it: keyctl padd user ${name} @u`,
  );
}

async function typeTwice(source: PassphraseSource): Promise<string> {
  const first = await typePassphrase('New passphrase of the issuer store:', source);
  const second = await typePassphrase('The same again:', source);
  if (first !== second) throw new IssuerError('NO_PASSPHRASE', 'the two passphrases differ; type them again');
  return first;
}

async function typePassphrase(text: string, { variable, option }: PassphraseSource): Promise<string> {
  const typed = await askHidden(text);
  if (typed !== undefined) return typed;
  throw new IssuerError(
    'NO_PASSPHRASE',
    `no passphrase was typed; use a terminal, ${option} FILE, or put it into ${variable}`,
  );
}
