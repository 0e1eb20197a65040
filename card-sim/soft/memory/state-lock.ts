import { accessSync, closeSync, constants, lstatSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import process from 'node:process';
import type { DatabaseSync } from 'node:sqlite';
import { TransportError } from '../../../apdu/errors.ts';

/** SQLite's code for what another connection holds. */
const SQLITE_BUSY = 5;
/** SQLite's code for a disk that is full. */
const SQLITE_FULL = 13;
/** ms to wait for another that is only looking who holds it. */
const PATIENCE = 100;

/**
 * Locks a file for this process. The lock is one of the operating system, which SQLite takes on `FILE.lock.sqlite`: it
 * ends with the process, however that ends. Its file stays, as its removal could let two processes lock two of them.
 * @returns a function that unlocks the file; calling it twice does nothing.
 * @throws TransportError `CARD_IN_USE`, `SOFT_CARD_FILE`.
 */
export function lockFile(path: string): () => void {
  const lock = `${resolve(path)}.lock.sqlite`;
  try {
    accessSync(dirname(lock), constants.W_OK);
    createFile(lock);
  } catch (error) {
    // Where no lock can be written the card cannot be written either, and reading it disturbs nobody.
    if (error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EROFS'))
      return () => {};
    throw error;
  }
  // Asked for only now: an older Node does not have it, and is told so by the entry (apdu/require-node.ts).
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  let held: DatabaseSync | undefined;
  try {
    held = new DatabaseSync(lock, { timeout: PATIENCE });
    const database = held;
    nameHolder(database);
    // It stays begun: until its end no other connection can write, and all can read who holds it.
    database.exec('begin immediate');
    if (holderOf(database) !== `process ${process.pid}`) throw inUse(path, holderOf(database));
    return () => {
      if (database.isOpen) database.close();
    };
  } catch (cause) {
    const code = cause instanceof Error && 'errcode' in cause ? cause.errcode : undefined;
    const isBusy = code === SQLITE_BUSY;
    const holder = isBusy ? holderOf(held) : '';
    held?.close();
    if (cause instanceof TransportError) throw cause;
    if (isBusy) throw inUse(path, holder, cause);
    if (code === SQLITE_FULL) throw noRoomBeside(path, cause);
    throw new TransportError('SOFT_CARD_FILE', `the lock ${lock} cannot be used; remove it and try again`, { cause });
  }
}

/** A FIFO or a device in its place would let this process wait for ever. @throws TransportError `SOFT_CARD_FILE`. */
function createFile(lock: string): void {
  const stat = lstatSync(lock, { throwIfNoEntry: false });
  if (stat === undefined) {
    try {
      // Only of a new file may a descriptor be closed here: that ends this process's locks on a file.
      closeSync(openSync(lock, 'wx', 0o600));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      createFile(lock);
    }
  } else if (!stat.isFile()) {
    throw new TransportError('SOFT_CARD_FILE', `the lock ${lock} is not a file; remove it and try again`);
  }
}

function nameHolder(database: DatabaseSync): void {
  // It is worth nothing after a power cut.
  database.exec('pragma synchronous = off');
  database.exec('begin immediate');
  database.exec('create table if not exists holder (process integer not null)');
  database.exec('delete from holder');
  database.prepare('insert into holder (process) values (?)').run(process.pid);
  database.exec('commit');
}

function holderOf(database: DatabaseSync | undefined): string {
  try {
    const row = database?.prepare('select process from holder').get();
    if (row !== undefined) return `process ${String(row['process'])}`;
  } catch {
    // It is being written this moment.
  }
  return 'another process';
}

/** To lock a file takes room. */
export function noRoomBeside(path: string, cause: unknown): TransportError {
  const text = `there is no room left beside the soft card ${path}; free some, or name another file`;
  return new TransportError('SOFT_CARD_FILE', text, { cause });
}

function inUse(path: string, holder: string, cause?: unknown): TransportError {
  return new TransportError('CARD_IN_USE', `${holder} uses the soft card ${path}; end it first, or wait`, { cause });
}
