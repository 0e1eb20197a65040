import { rename, rm } from 'node:fs/promises';
import type { MasterName } from '../../../apdu/decode-module/keys/card-keys.ts';
import { StoreError } from '../../store/store-error.ts';
import { Accounts } from '../cards/accounts.ts';
import { IssuerError } from '../issuer-error.ts';
import { KeyStore, listMasters, masterPath, requirePassphrase } from './key-store.ts';
import { newPassphraseCost, passphraseKey, sealMaster } from './master-file.ts';
import { syncDirectory, writePrivate } from './private-directory.ts';

/** What an attempt that was interrupted may leave behind. */
const DRAFT = '.new';

/**
 * Seals the masters of a store anew. Each file is replaced whole; an attempt that was interrupted is repeated with the
 * same two passphrases.
 * @param logN cost of the new passphrase, 14 to 20.
 * @returns the masters that the store has.
 * @throws IssuerError `WRONG_PASSPHRASE`, `NO_PASSPHRASE` when the new one is too short, `NO_MASTER` when there is none.
 */
export async function changePassphrase(
  directory: string,
  present: string,
  next: string,
  logN?: number,
): Promise<readonly MasterName[]> {
  requirePassphrase(next);
  return withStoreLocked(directory, async () => {
    const names = await listMasters(directory).catch(() => []);
    if (names.length === 0) {
      throw new IssuerError('NO_MASTER', `${directory} holds no master; name the right store with --store`);
    }
    const [old, renewed] = [present, next].map((one) => new KeyStore(directory, async () => one));
    const cost = newPassphraseCost(logN);
    const key = await passphraseKey(next, cost);
    const drafts: string[] = [];
    for (const name of names) {
      const master = await old!.open(name).catch((error: unknown) => {
        // An attempt before this one came so far.
        if (error instanceof IssuerError && error.code === 'WRONG_PASSPHRASE') return openOr(renewed!, name, error);
        throw error;
      });
      const draft = masterPath(directory, name) + DRAFT;
      await rm(draft, { force: true });
      await writePrivate(draft, sealMaster(name, master, key, cost));
      drafts.push(draft);
    }
    for (const draft of drafts) await rename(draft, draft.slice(0, -DRAFT.length));
    await syncDirectory(directory);
    return names;
  });
}

/** Opens a master with the new passphrase. @throws the first error when it does not open. */
async function openOr(store: KeyStore, name: MasterName, first: IssuerError): Promise<Uint8Array> {
  return store.open(name).catch(() => {
    throw first;
  });
}

/** Keeps a backup from copying masters of two passphrases. A store that has no accounts is not backed up. */
async function withStoreLocked<T>(directory: string, work: () => Promise<T>): Promise<T> {
  let accounts: Accounts;
  try {
    accounts = await Accounts.open(directory);
  } catch (error) {
    if (error instanceof StoreError && error.code === 'NO_STORE') return work();
    throw error;
  }
  try {
    return await accounts.transaction(work);
  } finally {
    await accounts.close();
  }
}
