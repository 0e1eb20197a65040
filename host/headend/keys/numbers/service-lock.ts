import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { TollcastError } from '../../../../apdu/errors.ts';
import { isSqliteError, SQLITE } from '../../../store/sqlite-error.ts';
import { grantNumbersError } from './grant-numbers.ts';

/**
 * Keeps other senders from numbering the keys of a service while this one does. The lock is one of the operating
 * system, which SQLite takes: it ends with the process, however that ends.
 * @param directory of the issuer store.
 * @param service u32.
 * @returns what ends the lock when it is disposed of.
 * @throws TollcastError `SERVICE_TAKEN` naming the process that holds it.
 * @throws IssuerError `GRANT_NUMBERS` when nothing can be written there.
 */
export function lockService(directory: string, service: number): Disposable {
  const path = join(directory, `sending-${service}.lock`);
  // Asked for only now: an older Node does not have it, and is told so by the entry (apdu/require-node.ts).
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  let lock: DatabaseSync | undefined;
  try {
    const held = new DatabaseSync(path, { timeout: 0 });
    lock = held;
    nameHolder(held);
    // It stays begun: until its end no other connection can write, and all can read who holds it.
    held.exec('begin immediate');
    return { [Symbol.dispose]: () => held.close() };
  } catch (cause) {
    const holder = isSqliteError(cause, SQLITE.BUSY) ? readHolder(lock) : undefined;
    lock?.close();
    if (holder !== undefined) {
      throw new TollcastError(
        'SERVICE_TAKEN',
        `service ${service} is being sent by ${holder}; stop that, or take another number: --service, or number in the configuration`,
        { cause },
      );
    }
    throw grantNumbersError(directory, cause);
  }
}

function nameHolder(lock: DatabaseSync): void {
  lock.exec('begin immediate');
  lock.exec('create table if not exists holder (process integer not null)');
  lock.exec('delete from holder');
  lock.prepare('insert into holder (process) values (?)').run(process.pid);
  lock.exec('commit');
}

function readHolder(lock: DatabaseSync | undefined): string {
  try {
    const row = lock?.prepare('select process from holder').get();
    if (row !== undefined) return `process ${String(row['process'])}`;
  } catch {
    // It is being written this moment.
  }
  return 'another process';
}
