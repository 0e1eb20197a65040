import { join } from 'node:path';
import { ACCOUNTS_FILE } from '../../store/issuer-store.ts';
import { Accounts } from '../cards/accounts.ts';
import { listMasters, masterPath, readMaster } from '../keys/key-store.ts';
import { createPrivateDirectory, keepPrivate, writePrivate } from '../keys/private-directory.ts';
import { countContents, type StoreContents } from './store-contents.ts';

/**
 * Copies an issuer store while others may use it: its masters, sealed as they are, and the accounts as they stand at
 * one moment. The copy is on disk when this resolves.
 * @param target directory that is not there yet.
 * @throws IssuerError `STORE_EXISTS`; StoreError as opening the accounts does.
 */
export async function backUpStore(directory: string, target: string): Promise<StoreContents> {
  await using accounts = await Accounts.open(directory);
  let contents: StoreContents | undefined;
  await createPrivateDirectory(target, async (draft) => {
    // A change of the passphrase takes the same turn, so the masters of a copy open with one passphrase.
    await accounts.transaction(async () => {
      for (const name of await listMasters(directory)) {
        await writePrivate(masterPath(draft, name), await readMaster(directory, name));
      }
    });
    const file = join(draft, ACCOUNTS_FILE);
    await accounts.copyTo(file);
    await keepPrivate(file);
    await using copied = await Accounts.open(draft);
    contents = await countContents(copied);
  });
  return contents!;
}
