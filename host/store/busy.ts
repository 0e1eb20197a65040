import { setTimeout as sleep } from 'node:timers/promises';
import { isSqliteError, SQLITE } from './sqlite-error.ts';
import { StoreError } from './store-error.ts';

/** ms between two attempts. */
const PAUSE = 10;

/**
 * Repeats some work until no other connection holds the store. SQLite's own busy timeout would stop the whole process,
 * and with it a transaction of this process that the work may be waiting for.
 * @param maxWait ms.
 * @throws StoreError `STORE_BUSY` when it is still held after that.
 */
export async function waitWhileBusy<T>(maxWait: number, work: () => T): Promise<T> {
  const end = performance.now() + maxWait;
  for (;;) {
    try {
      return work();
    } catch (cause) {
      if (!isSqliteError(cause, SQLITE.BUSY)) throw cause;
      if (performance.now() >= end) {
        throw new StoreError('STORE_BUSY', 'another program holds the store; end it, and try again', { cause });
      }
    }
    await sleep(PAUSE);
  }
}
