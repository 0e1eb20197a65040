import { chmodSync, closeSync, openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CamelCasePlugin, Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { SmallColumnsPlugin } from '../small-columns-plugin.ts';
import { isSqliteError, SQLITE } from '../sqlite-error.ts';
import { StoreError } from '../store-error.ts';
import { WorkerSqliteDialect } from '../worker-sqlite-dialect.ts';
import { HEADEND_MIGRATIONS } from './migrations/headend-migrations.ts';
import { HEADEND_COLUMNS, type HeadendTables } from './tables/headend-tables.ts';

/** The head-end's database: what is sold, to whom, and what was given out. Every committed transaction is on disk. */
export type HeadendStore = Kysely<HeadendTables>;

const FILE = 'headend.sqlite';

/** Where the database of a head-end lies. @param directory of its state. */
export function headendDatabase(directory: string): string {
  return join(directory, FILE);
}

/**
 * Opens the database of a head-end; an empty one is made, for its owner alone to read. One of an earlier version is
 * brought up to date first, all of it or nothing.
 * @param directory of the head-end's state; made when it is not there.
 * @throws StoreError `STORE_DAMAGED` or `STORE_NEWER`.
 */
export async function openHeadendStore(directory: string): Promise<HeadendStore> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = headendDatabase(directory);
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
  const database = new Kysely<unknown>({ dialect: new WorkerSqliteDialect(path) });
  try {
    await bringUpToDate(database, directory);
  } catch (cause) {
    await database.destroy();
    throw explain(cause, directory);
  }
  const store = database
    .$extendTables<HeadendTables>()
    .withPlugin(new CamelCasePlugin())
    .withPlugin(new SmallColumnsPlugin(HEADEND_COLUMNS));
  await overwriteErased(store);
  return store;
}

/**
 * Writes the file anew where something was erased, so that neither it nor its log has an octet of that any more.
 * Whoever writes meanwhile waits.
 * @param maxSize octets of a file up to which that is done now; a larger one is written anew at the next start.
 * @returns whether nothing erased is left there.
 */
export async function overwriteErased(store: HeadendStore, maxSize = Infinity): Promise<boolean> {
  const erased = store.selectFrom('erasure').select('pseudonym').where('isOverwritten', '=', false);
  if ((await erased.executeTakeFirst()) === undefined) return true;
  const { rows } = await sql<{ size: bigint }>`
    select page_count * page_size as size from pragma_page_count(), pragma_page_size()`.execute(store);
  if (Number(rows[0]?.size ?? 0n) > maxSize) return false;
  await sql`vacuum`.execute(store);
  const { rows: checkpoints } = await sql<{ busy: bigint }>`pragma wal_checkpoint(truncate)`.execute(store);
  // Another process reads an older state: the next start does it.
  if (checkpoints[0]?.busy !== 0n) return false;
  await store.updateTable('erasure').set({ isOverwritten: true }).execute();
  return true;
}

async function bringUpToDate(database: Kysely<unknown>, directory: string): Promise<void> {
  const tables = await database.introspection.getTables({ withInternalKyselyTables: true });
  if (tables.some(({ name }) => name === 'kysely_migration')) {
    const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(database);
    if (rows.some(({ name }) => HEADEND_MIGRATIONS[name] === undefined)) {
      throw new StoreError(
        'STORE_NEWER',
        `a newer version of this program has written the database in ${directory}; install that version`,
      );
    }
  }
  await database.transaction().execute(async (transaction) => {
    const provider = { getMigrations: async () => HEADEND_MIGRATIONS };
    const migrator = new Migrator({ db: transaction, provider, allowUnorderedMigrations: true });
    const { error } = await migrator.migrateToLatest();
    // The transaction is rolled back.
    if (error !== undefined) throw error instanceof Error ? error : new Error('a migration failed', { cause: error });
  });
}

function explain(cause: unknown, directory: string): unknown {
  if (!isSqliteError(cause, SQLITE.CORRUPT, SQLITE.NOTADB)) return cause;
  return new StoreError(
    'STORE_DAMAGED',
    `${join(directory, FILE)} is damaged or of another program; put your copy of it back`,
    { cause },
  );
}

/** Numbers and ids that may be given between a copy and its being put back. */
const MAX_GIVEN = 1_000_000;

/** Has a copy go on above what the head-end gives after it: cards take no number twice, and an id names one key. */
const SKIP_NUMBERS = `
  begin;
  insert into card_number (card_id, last_number)
    select card_id, max(number) + ${MAX_GIVEN} from
      (select card_id, last_number as number from card_number union all select card_id, number from member)
    group by card_id
    on conflict (card_id) do update set last_number = excluded.last_number;
  update key_counter set next = next + ${MAX_GIVEN};
  commit;`;

/**
 * Copies the database of a head-end, also while it is in use.
 * @param to a file that is not there yet; its owner alone can read it.
 * @throws StoreError `NO_STORE` when there is none, `STORE_EXISTS` when the file is there.
 */
export async function backUpHeadendStore(directory: string, to: string): Promise<void> {
  const { backup, DatabaseSync } = process.getBuiltinModule('node:sqlite');
  let database;
  try {
    database = new DatabaseSync(join(directory, FILE), { readOnly: true });
  } catch (cause) {
    throw new StoreError('NO_STORE', `there is no database of a head-end in ${directory}; name its directory`, {
      cause,
    });
  }
  try {
    try {
      closeSync(openSync(to, 'wx', 0o600));
    } catch (cause) {
      throw new StoreError('STORE_EXISTS', `${to} is there already or cannot be written; name another file`, { cause });
    }
    await backup(database, to);
  } finally {
    database.close();
  }
  const copy = new DatabaseSync(to);
  try {
    copy.exec(SKIP_NUMBERS);
  } finally {
    copy.close();
  }
}
