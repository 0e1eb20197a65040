import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CamelCasePlugin, Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { type IssuerTables, SMALL_COLUMNS } from './issuer-tables.ts';
import { ISSUER_MIGRATIONS } from './migrations/issuer-migrations.ts';
import { NodeSqliteDialect } from './node-sqlite-dialect.ts';
import { moveOldGrantNumbers, oldGrantFile, withOldGrantFile } from './old-grant-file.ts';
import { SmallColumnsPlugin } from './small-columns-plugin.ts';
import { isSqliteError, SQLITE } from './sqlite-error.ts';
import { StoreError } from './store-error.ts';

/** The issuer's database: accounts of cards, and grant numbers. Every committed transaction is on disk. */
export type IssuerStore = Kysely<IssuerTables>;

/** It keeps the name of its first content, so that the copies that issuers have can be put back. */
export const ACCOUNTS_FILE = 'accounts.sqlite';
/** Versions without migrations counted to 3 here, and refuse to open any other number. */
const USER_VERSION = 4;

/**
 * Opens the database of an issuer store. One of an earlier version is brought up to date first, all of it or nothing.
 * @param create makes an empty one, for its owner alone to read, when there is none.
 * @throws StoreError `NO_STORE`, `STORE_DAMAGED`, `STORE_NEWER`, `STORE_READ_ONLY` or `STORE_BUSY`.
 */
export async function openIssuerStore(
  directory: string,
  { create = false }: { readonly create?: boolean } = {},
): Promise<IssuerStore> {
  const path = join(directory, ACCOUNTS_FILE);
  if (create) closeSync(openSync(path, 'a', 0o600));
  const url = pathToFileURL(path);
  // Opening never makes it: an issuer must notice that the accounts are gone.
  url.searchParams.set('mode', 'rw');
  const database = new Kysely<unknown>({
    dialect: new NodeSqliteDialect(() => {
      // Loaded this late, as an older Node lacks it: the entry says so first (apdu/require-node.ts).
      const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
      return new DatabaseSync(url, { timeout: 0 });
    }),
  });
  try {
    await bringUpToDate(database, directory);
  } catch (cause) {
    await database.destroy();
    throw explain(cause, directory);
  }
  return database
    .$extendTables<IssuerTables>()
    .withPlugin(new CamelCasePlugin())
    .withPlugin(new SmallColumnsPlugin(SMALL_COLUMNS));
}

async function bringUpToDate(database: Kysely<unknown>, directory: string): Promise<void> {
  const known = Object.keys(ISSUER_MIGRATIONS);
  const done = await executedMigrations(database, directory);
  if (done.some((name) => !known.includes(name))) {
    throw new StoreError(
      'STORE_NEWER',
      `a newer version of this program has written the store in ${directory}; install that version`,
    );
  }
  await withOldGrantFile(database, oldGrantFile(directory), async (attached) => {
    if (done.length === known.length && !attached) return;
    await database.transaction().execute(async (transaction) => {
      const provider = { getMigrations: async () => ISSUER_MIGRATIONS };
      const { error } = await new Migrator({ db: transaction, provider }).migrateToLatest();
      // The transaction is rolled back.
      if (error !== undefined) throw error instanceof Error ? error : new Error('a migration failed', { cause: error });
      await sql`pragma user_version = ${sql.lit(USER_VERSION)}`.execute(transaction);
      if (attached) await moveOldGrantNumbers(transaction);
    });
  });
}

/** @throws StoreError `STORE_DAMAGED` when the file is a database of something else. */
async function executedMigrations(database: Kysely<unknown>, directory: string): Promise<readonly string[]> {
  const tables = await database.introspection.getTables({ withInternalKyselyTables: true });
  const names = tables.map(({ name }) => name);
  if (names.length > 0 && !names.includes('issuer')) throw damaged(directory);
  if (!names.includes('kysely_migration')) return [];
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(database);
  return rows.map(({ name }) => name);
}

/** The error for people, where SQLite's own says too little. */
function explain(cause: unknown, directory: string): unknown {
  if (isSqliteError(cause, SQLITE.CANTOPEN)) {
    return new StoreError('NO_STORE', `there is no issuer store in ${directory}; type: tollcast issuer init`, {
      cause,
    });
  }
  if (isSqliteError(cause, SQLITE.READONLY)) {
    return new StoreError(
      'STORE_READ_ONLY',
      `the store in ${directory} is of an earlier version and cannot be changed; let this program write there, once`,
      { cause },
    );
  }
  return isSqliteError(cause, SQLITE.CORRUPT, SQLITE.NOTADB, SQLITE.ERROR) ? damaged(directory, cause) : cause;
}

function damaged(directory: string, cause?: unknown): StoreError {
  return new StoreError(
    'STORE_DAMAGED',
    `${join(directory, ACCOUNTS_FILE)} is damaged or of another program; put your copy of it back`,
    { cause },
  );
}
