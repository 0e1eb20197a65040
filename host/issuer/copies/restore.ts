import { constants, existsSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ACCOUNTS_FILE } from '../../store/issuer-store.ts';
import { StoreError } from '../../store/store-error.ts';
import { Accounts } from '../cards/accounts.ts';
import { IssuerError } from '../issuer-error.ts';
import { listMasters, masterPath, readMaster } from '../keys/key-store.ts';
import { createPrivateDirectory, keepPrivate, writePrivate } from '../keys/private-directory.ts';
import { countContents, findLosses, type StoreContents, type StoreLosses } from './store-contents.ts';

/** What a restored store holds. */
export interface RestoredStore extends StoreContents {
  /** The highest grant number: the next one is above it. 0 when no card was ever granted anything. */
  readonly grantNumber: number;
}

/** What SQLite needs to undo a change that was interrupted, where the copy was made by other means than ours. */
const JOURNAL = `${ACCOUNTS_FILE}-journal`;

/**
 * Makes a store of a copy. Nothing is ever overwritten: a store that is there is compared with the copy, and the error
 * says what would be lost. The grant numbers of the cards go on from the present second at least, as those given since
 * the copy was made must not be given again.
 * @param now seconds since 1970.
 * @throws IssuerError `STORE_EXISTS`, `NO_MASTER`, `STORE_DAMAGED`; StoreError as opening the copy does.
 */
export async function restoreStore(copy: string, directory: string, now: number): Promise<RestoredStore> {
  let restored: RestoredStore | undefined;
  await createPrivateDirectory(directory, async (draft) => {
    await copyStore(copy, draft);
    await using accounts = await Accounts.open(draft);
    if (!(await accounts.isSound())) {
      throw new StoreError('STORE_DAMAGED', `the accounts in ${copy} are damaged; restore another copy`);
    }
    await requireNothingThere(directory, accounts);
    restored = { ...(await countContents(accounts)), grantNumber: await accounts.raiseGrantNumbers(now) };
  });
  return restored!;
}

/** @throws IssuerError `NO_MASTER` when the directory holds none; StoreError `NO_STORE` when it has no accounts. */
async function copyStore(copy: string, draft: string): Promise<void> {
  if (!existsSync(join(copy, ACCOUNTS_FILE))) {
    throw new StoreError('NO_STORE', `there is no copy of an issuer store in ${copy}; name the directory of a backup`);
  }
  const masters = await listMasters(copy);
  if (masters.length === 0) throw new IssuerError('NO_MASTER', `${copy} holds accounts and no master; name a backup`);
  for (const name of masters) await writePrivate(masterPath(draft, name), await readMaster(copy, name));
  for (const file of [ACCOUNTS_FILE, JOURNAL]) {
    if (!existsSync(join(copy, file))) continue;
    await copyFile(join(copy, file), join(draft, file), constants.COPYFILE_EXCL);
    await keepPrivate(join(draft, file));
  }
}

/** @throws IssuerError `STORE_EXISTS` that says what the present store has and the copy has not. */
async function requireNothingThere(directory: string, copied: Accounts): Promise<void> {
  let present: Accounts;
  try {
    present = await Accounts.open(directory);
  } catch (cause) {
    // Whatever else is there is found by the renaming, and kept.
    if (cause instanceof StoreError && cause.code === 'NO_STORE') return;
    if (!(cause instanceof StoreError)) throw cause;
    throw new IssuerError(
      'STORE_EXISTS',
      `a store is in ${directory} and cannot be read (${cause.message}); move it away, and restore again`,
      { cause },
    );
  }
  try {
    const losses = present.issuer === copied.issuer ? await findLosses(present, copied) : undefined;
    throw new IssuerError('STORE_EXISTS', `${describeLosses(directory, losses)}: mv ${directory} ${directory}.old`);
  } finally {
    await present.close();
  }
}

function describeLosses(directory: string, losses: StoreLosses | undefined): string {
  if (losses === undefined) return `the store in ${directory} is of another issuer; to put the copy there move it away`;
  const { cards, orders, receipts, grants } = losses;
  if (cards + orders + receipts + grants === 0) {
    return `the store in ${directory} has all that the copy has; to restore the copy all the same move it away`;
  }
  return (
    `the store in ${directory} has what the copy lacks: ${cards} cards, ${orders} orders, ${receipts} receipts, ` +
    `and newer grant numbers of ${grants} cards; to lose them move it away`
  );
}
