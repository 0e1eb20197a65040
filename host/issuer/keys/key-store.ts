import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CARD_KEY_LENGTH, MASTERS, type MasterName } from '../../../apdu/decode-module/keys/card-keys.ts';
import { Accounts } from '../cards/accounts.ts';
import { IssuerError } from '../issuer-error.ts';
import { newPassphraseCost, openMaster, parseMaster, passphraseKey, sealMaster } from './master-file.ts';

/** Where `tollcast issuer` keeps its store unless told otherwise. */
export const DEFAULT_STORE = '.tollcast/issuer';

/** Characters. */
const MIN_PASSPHRASE = 8;
/** Octets. */
const MAX_FILE = 4096;

/** Masters in a directory, each in a file of its own: a machine that needs one of them is given that file alone. */
export class KeyStore {
  readonly #directory: string;
  readonly #passphrase: () => Promise<string>;
  #asked: Promise<string> | undefined;
  readonly #keys = new Map<string, Promise<Uint8Array>>();

  /** @param passphrase is called once at most, and not before a master is opened. */
  constructor(directory: string, passphrase: () => Promise<string>) {
    this.#directory = directory;
    this.#passphrase = passphrase;
  }

  /**
   * Opens one master; the others need not be there.
   * @returns 16 octets.
   * @throws IssuerError `NO_MASTER`, `STORE_DAMAGED`, `STORE_OPEN_TO_OTHERS` or `WRONG_PASSPHRASE`.
   */
  async open(name: MasterName): Promise<Uint8Array> {
    const sealed = parseMaster(name, await readPrivate(this.#directory, name));
    this.#asked ??= this.#passphrase();
    const passphrase = await this.#asked;
    const at = `${sealed.cost.logN} ${Buffer.from(sealed.cost.salt).toString('hex')}`;
    const key = this.#keys.get(at) ?? passphraseKey(passphrase, sealed.cost);
    this.#keys.set(at, key);
    return openMaster(sealed, await key);
  }
}

/**
 * Makes a whole store, all of it or nothing: four random masters and empty accounts.
 * @param issuer u24, the first three octets of every card id.
 * @param passphrase 8 characters or more.
 * @param logN cost of the passphrase, 14 to 20.
 * @throws IssuerError `STORE_EXISTS` when the directory is there and not empty; it stays as it is.
 */
export async function createStore(directory: string, issuer: number, passphrase: string, logN?: number): Promise<void> {
  if (passphrase.length < MIN_PASSPHRASE) {
    throw new IssuerError(
      'NO_PASSPHRASE',
      `a passphrase has ${MIN_PASSPHRASE} characters or more; choose a longer one`,
    );
  }
  const target = resolve(directory);
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  // mkdtemp makes it 0700. It lies beside the target, so that one rename puts the store in place.
  const draft = await mkdtemp(join(dirname(target), `.${basename(target)}-`));
  try {
    const cost = newPassphraseCost(logN);
    const key = await passphraseKey(passphrase, cost);
    for (const name of MASTERS) {
      await writePrivate(join(draft, fileName(name)), sealMaster(name, randomBytes(CARD_KEY_LENGTH), key, cost));
    }
    await Accounts.create(draft, issuer);
    await syncDirectory(draft);
    // A directory that is not empty is never replaced: ENOTEMPTY or EEXIST, by POSIX.
    await rename(draft, target);
    await syncDirectory(dirname(target));
  } catch (cause) {
    await rm(draft, { recursive: true, force: true });
    if (isSystemError(cause, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) {
      throw new IssuerError('STORE_EXISTS', `${directory} is there already and is kept; choose another with --store`);
    }
    throw cause;
  }
}

function fileName(name: MasterName): string {
  return `${name}.key`;
}

async function writePrivate(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function readPrivate(directory: string, name: MasterName): Promise<string> {
  let file;
  try {
    file = await open(join(directory, fileName(name)), 'r');
  } catch (cause) {
    if (!isSystemError(cause, 'ENOENT', 'ENOTDIR')) throw cause;
    throw new IssuerError('NO_MASTER', `${directory} holds no ${name} master; name the right store with --store`);
  }
  try {
    const { size, mode } = await file.stat();
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new IssuerError(
        'STORE_OPEN_TO_OTHERS',
        `others may read ${fileName(name)} in ${directory}; type: chmod 600 ${directory}/*`,
      );
    }
    if (size > MAX_FILE) return '';
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function isSystemError(cause: unknown, ...codes: readonly string[]): boolean {
  return cause instanceof Error && 'code' in cause && codes.includes(String(cause.code));
}
