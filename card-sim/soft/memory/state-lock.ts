import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { TransportError } from '../../../apdu/errors.ts';

/** Locks that this process holds. A lock with its number may also be left from an earlier process of that number. */
const held = new Set<string>();
/** Whether the locks are removed when the process ends. */
let hooked = false;

/**
 * Locks a file for this process: `FILE.lock` beside it holds the number of the process. The lock of a process that was
 * killed is taken over.
 * @returns a function that unlocks the file; calling it twice does nothing. The end of the process does the same.
 * @throws TransportError `CARD_IN_USE`.
 */
export function lockFile(path: string): () => void {
  const lock = `${resolve(path)}.lock`;
  let locked: boolean;
  try {
    locked = tryLock(lock);
  } catch (error) {
    // Where no lock can be written the card cannot be written either, and reading it disturbs nobody.
    if (error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EROFS'))
      return () => {};
    throw error;
  }
  if (!locked) {
    const holder = holderOf(lock);
    if (held.has(lock) || (holder !== process.pid && runs(holder))) {
      throw new TransportError(
        'CARD_IN_USE',
        `process ${holder} uses the soft card ${path}; end it first, or wait ` +
          `(if it is not a program of tollcast, remove ${lock})`,
      );
    }
    rmSync(lock, { force: true });
    if (!tryLock(lock))
      throw new TransportError('CARD_IN_USE', `another process uses the soft card ${path}; try again`);
  }
  held.add(lock);
  if (!hooked) process.once('exit', () => held.forEach(unlock));
  hooked = true;
  return () => unlock(lock);
}

function unlock(lock: string): void {
  if (held.delete(lock)) rmSync(lock, { force: true });
}

function tryLock(lock: string): boolean {
  try {
    writeFileSync(lock, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Number of the process in a lock; 0 when the lock is gone or holds no number. */
function holderOf(lock: string): number {
  try {
    return Number.parseInt(readFileSync(lock, 'latin1'), 10) || 0;
  } catch {
    return 0;
  }
}

function runs(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
