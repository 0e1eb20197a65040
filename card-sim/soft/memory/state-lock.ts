import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { TransportError } from '../../../apdu/errors.ts';

/** Locks of this process: another with its number may have left one behind. */
const held = new Set<string>();
/** Whether they go when the process ends. */
let hooked = false;

/**
 * Takes a file for this process alone: `FILE.lock` beside it holds the number of the process, and goes when it lets go or ends. One that a
 * process left behind when it was killed is taken over.
 * @returns lets go; more than once does nothing.
 * @throws TransportError `CARD_IN_USE`.
 */
export function lockFile(path: string): () => void {
  const lock = `${resolve(path)}.lock`;
  let locked: boolean;
  try {
    locked = tryLock(lock);
  } catch (error) {
    // Where no lock can be made nothing can be saved: whoever looks disturbs nobody.
    if (error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EROFS'))
      return () => {};
    throw error;
  }
  if (!locked) {
    const holder = holderOf(lock);
    if (held.has(lock) || (holder !== process.pid && runs(holder))) {
      throw new TransportError(
        'CARD_IN_USE',
        `process ${holder} uses the soft card ${path}; end it first, or wait (if it is none of tollcast's, remove ${lock})`,
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

/** 0 when the lock is gone, or names nobody. */
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
