import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CARD_KEY_LENGTH, MASTERS, type MasterName } from '../../../apdu/decode-module/keys/card-keys.ts';
import { Accounts } from '../cards/accounts.ts';
import { IssuerError } from '../issuer-error.ts';
import {
  newPassphraseCost,
  openMaster,
  parseMaster,
  type PassphraseCost,
  passphraseKey,
  sealMaster,
} from './master-file.ts';
import { createPrivateDirectory, isSystemError, syncDirectory, writePrivate } from './private-directory.ts';

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
    return openMaster(sealed, await this.#keyAt(sealed.cost));
  }

  /** Whether the store has this master. */
  async has(name: MasterName): Promise<boolean> {
    return (await listMasters(this.#directory)).includes(name);
  }

  /**
   * Makes a master that a store of an earlier version lacks. It is sealed as another one is, which must open: all
   * masters of a store have one passphrase.
   * @param like the other one.
   * @throws IssuerError as {@link open} does for that.
   */
  async make(name: MasterName, like: MasterName): Promise<void> {
    await this.open(like);
    const { cost } = parseMaster(like, await readPrivate(this.#directory, like));
    const draft = `${masterPath(this.#directory, name)}.new`;
    await rm(draft, { force: true });
    await writePrivate(draft, sealMaster(name, randomBytes(CARD_KEY_LENGTH), await this.#keyAt(cost), cost));
    await rename(draft, masterPath(this.#directory, name));
    await syncDirectory(this.#directory);
  }

  async #keyAt(cost: PassphraseCost): Promise<Uint8Array> {
    this.#asked ??= this.#passphrase();
    const passphrase = await this.#asked;
    const at = `${cost.logN} ${Buffer.from(cost.salt).toString('hex')}`;
    const key = this.#keys.get(at) ?? passphraseKey(passphrase, cost);
    this.#keys.set(at, key);
    return key;
  }
}

/**
 * Makes a whole store, all of it or nothing: five random masters and empty accounts.
 * @param issuer u24, the first three octets of every card id.
 * @param passphrase 8 characters or more.
 * @param logN cost of the passphrase, 14 to 20.
 * @throws IssuerError `STORE_EXISTS` when the directory is there and not empty; it stays as it is.
 */
export async function createStore(directory: string, issuer: number, passphrase: string, logN?: number): Promise<void> {
  requirePassphrase(passphrase);
  await createPrivateDirectory(directory, async (draft) => {
    const cost = newPassphraseCost(logN);
    const key = await passphraseKey(passphrase, cost);
    for (const name of MASTERS) {
      await writePrivate(masterPath(draft, name), sealMaster(name, randomBytes(CARD_KEY_LENGTH), key, cost));
    }
    await Accounts.create(draft, issuer);
  });
}

/** @throws IssuerError `NO_PASSPHRASE` when it is too short. */
export function requirePassphrase(passphrase: string): void {
  if (passphrase.length >= MIN_PASSPHRASE) return;
  throw new IssuerError('NO_PASSPHRASE', `a passphrase has ${MIN_PASSPHRASE} characters or more; choose a longer one`);
}

/** Reads the sealed master of a store as it is. @throws IssuerError as {@link KeyStore.open} does. */
export async function readMaster(directory: string, name: MasterName): Promise<string> {
  const text = await readPrivate(directory, name);
  parseMaster(name, text);
  return text;
}

/** The masters that a store has: a machine may have been given some of them alone. */
export async function listMasters(directory: string): Promise<MasterName[]> {
  const files = await readdir(directory);
  return MASTERS.filter((name) => files.includes(fileName(name)));
}

/** Where a store keeps a master. */
export function masterPath(directory: string, name: MasterName): string {
  return join(directory, fileName(name));
}

function fileName(name: MasterName): string {
  return `${name}.key`;
}

async function readPrivate(directory: string, name: MasterName): Promise<string> {
  let file;
  try {
    file = await open(masterPath(directory, name), 'r');
  } catch (cause) {
    if (!isSystemError(cause, 'ENOENT', 'ENOTDIR')) throw cause;
    throw new IssuerError(
      'NO_MASTER',
      `${directory} holds no ${name} master; name the right store with --store, or make one: tollcast issuer init`,
    );
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
