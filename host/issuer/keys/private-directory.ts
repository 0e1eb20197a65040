import { chmod, mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isDiskFull } from '../../store/sqlite-error.ts';
import { IssuerError } from '../issuer-error.ts';

/**
 * Makes a directory that its owner alone can read, all of it or nothing.
 * @param fill writes the files into the draft that it is given.
 * @throws IssuerError `STORE_EXISTS` when the directory is there and not empty; it stays as it is.
 */
export async function createPrivateDirectory(directory: string, fill: (draft: string) => Promise<void>): Promise<void> {
  const target = resolve(directory);
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  // mkdtemp makes it 0700. It lies beside the target, so that one rename puts it in place.
  const draft = await mkdtemp(join(dirname(target), `.${basename(target)}-`));
  try {
    await fill(draft);
    await syncDirectory(draft);
    // A directory that is not empty is never replaced: ENOTEMPTY or EEXIST, by POSIX.
    await rename(draft, target);
    await syncDirectory(dirname(target));
  } catch (cause) {
    await rm(draft, { recursive: true, force: true });
    if (isSystemError(cause, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) {
      throw new IssuerError('STORE_EXISTS', `${directory} is there already and is kept; name another directory`);
    }
    if (!isDiskFull(cause)) throw cause;
    throw new IssuerError(
      'SYSTEM',
      `the disk is full, and ${directory} was not made; free some space, and start again`,
      {
        cause,
      },
    );
  }
}

/** Writes a new file for its owner alone. It is on disk when this resolves. */
export async function writePrivate(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Brings what another program wrote to disk, and keeps it from others. */
export async function keepPrivate(path: string): Promise<void> {
  await chmod(path, 0o600);
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Brings the names of files that were made or renamed to disk. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Whether the operating system failed with one of these codes. */
export function isSystemError(cause: unknown, ...codes: readonly string[]): boolean {
  return cause instanceof Error && 'code' in cause && codes.includes(String(cause.code));
}
