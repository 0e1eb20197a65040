import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Kysely, sql } from 'kysely';
import { isSqliteError, SQLITE } from './sqlite-error.ts';
import { StoreError } from './store-error.ts';

/** Where earlier versions kept the grant numbers. */
export function oldGrantFile(directory: string): string {
  return join(directory, 'grants.db');
}

/**
 * Does some work while the old file of grant numbers, if there is one, is part of the database. One transaction then
 * covers both files: SQLite commits it in both or in neither. The file is deleted afterwards.
 * @param work is told whether the file is there; it moves the numbers.
 * @throws StoreError `STORE_DAMAGED` when the file is not a database.
 */
export async function withOldGrantFile(
  database: Kysely<unknown>,
  path: string,
  work: (attached: boolean) => Promise<void>,
): Promise<void> {
  if (!(await attach(database, path))) return work(false);
  try {
    await work(true);
  } finally {
    await sql`detach old_grants`.execute(database);
  }
  try {
    rmSync(path, { force: true });
  } catch {
    // It is empty now; the next opening tries again.
  }
}

/** Moves the numbers out of the old file. A number that is there twice keeps its higher value. */
export async function moveOldGrantNumbers(transaction: Kysely<unknown>): Promise<void> {
  if (!(await findOldNumbers(transaction))) return;
  await sql`
    insert into grant_number (card_id, number) select card, number from old_grants.last_grant where true
    on conflict (card_id) do update set number = max(number, excluded.number)
  `.execute(transaction);
  await sql`drop table old_grants.last_grant`.execute(transaction);
}

async function attach(database: Kysely<unknown>, path: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  const url = pathToFileURL(path);
  url.searchParams.set('mode', 'rw');
  try {
    await sql`attach ${url.href} as old_grants`.execute(database);
  } catch (cause) {
    // Another process has just moved its numbers.
    if (isSqliteError(cause, SQLITE.CANTOPEN) && !existsSync(path)) return false;
    if (!isSqliteError(cause, SQLITE.CORRUPT, SQLITE.NOTADB)) throw cause;
    throw new StoreError('STORE_DAMAGED', `${path} is damaged; put your copy of it back, or delete it`, { cause });
  }
  await sql`pragma old_grants.synchronous = extra`.execute(database);
  return true;
}

async function findOldNumbers(database: Kysely<unknown>): Promise<boolean> {
  const found = await sql`select 1 from old_grants.sqlite_schema where name = 'last_grant'`.execute(database);
  return found.rows.length > 0;
}
