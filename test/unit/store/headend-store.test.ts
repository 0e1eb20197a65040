import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backUpHeadendStore, headendDatabase, openHeadendStore } from '../../../host/store/headend/headend-store.ts';
import { HEADEND_MIGRATIONS } from '../../../host/store/headend/migrations/headend-migrations.ts';
import { WorkerSqliteDialect } from '../../../host/store/worker-sqlite-dialect.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-headend-store-'));
});

afterEach(() => rm(directory, { recursive: true }));

const SERVICE = { number: 7, definition: '{}', configured: null, changedAt: 5 };

test('what is committed is there when it is opened again; nobody else can read it', async () => {
  const store = await openHeadendStore(directory);
  await store.insertInto('service').values(SERVICE).execute();
  await store.destroy();
  expect((await stat(headendDatabase(directory))).mode & 0o077).toBe(0);
  const again = await openHeadendStore(directory);
  expect(await again.selectFrom('service').selectAll().execute()).toEqual([SERVICE]);
  await again.destroy();
});

test('it writes ahead, and every commit is on disk', async () => {
  const store = await openHeadendStore(directory);
  const { rows: journal } = await sql`pragma journal_mode`.execute(store);
  const { rows: synchronous } = await sql`pragma synchronous`.execute(store);
  expect([journal, synchronous]).toEqual([[{ journalMode: 'wal' }], [{ synchronous: 2n }]]);
  await store.destroy();
});

test('a transaction that fails changes nothing, and the error is that of SQLite', async () => {
  await using store = await openHeadendStore(directory);
  const twice = store.transaction().execute(async (transaction) => {
    await transaction.insertInto('service').values(SERVICE).execute();
    await transaction.insertInto('service').values(SERVICE).execute();
  });
  await expect(twice).rejects.toMatchObject({ errcode: 1555 });
  expect(await store.selectFrom('service').selectAll().execute()).toEqual([]);
});

test('who had a card in a database of an earlier version has it still', async () => {
  const database = new Kysely<unknown>({ dialect: new WorkerSqliteDialect(headendDatabase(directory)) });
  const provider = { getMigrations: async () => HEADEND_MIGRATIONS };
  const { error } = await new Migrator({ db: database, provider }).migrateTo('0010-subscriptions');
  expect(error).toBeUndefined();
  await sql`insert into card_user (card_id, user) values ('0a1b2c0200000001', 'ann')`.execute(database);
  await database.destroy();
  await using store = await openHeadendStore(directory);
  const held = { cardId: '0a1b2c0200000001', since: 0, until: null, user: 'ann' };
  expect(await store.selectFrom('cardUser').selectAll().execute()).toEqual([held]);
  expect(await store.selectFrom('user').select('name').execute()).toEqual([{ name: 'ann' }]);
});

test('a database that a newer version wrote is left alone', async () => {
  const store = await openHeadendStore(directory);
  await sql`insert into kysely_migration (name, timestamp) values ('9998-later', 'now')`.execute(store);
  await store.destroy();
  await expect(openHeadendStore(directory)).rejects.toMatchObject({ code: 'STORE_NEWER' });
});

test('a copy is made while another process writes, and opens as the head-end it was', async () => {
  await using store = await openHeadendStore(directory);
  await store.insertInto('service').values(SERVICE).execute();
  const copy = await mkdtemp(join(tmpdir(), 'tollcast-headend-copy-'));
  try {
    const open = store.transaction().execute(async (transaction) => {
      await transaction
        .insertInto('service')
        .values({ ...SERVICE, number: 8 })
        .execute();
      await backUpHeadendStore(directory, join(copy, 'headend.sqlite'));
    });
    await open;
    await using copied = await openHeadendStore(copy);
    expect(await copied.selectFrom('service').select('number').execute()).toEqual([{ number: 7 }]);
    await expect(backUpHeadendStore(directory, join(copy, 'headend.sqlite'))).rejects.toMatchObject({
      code: 'STORE_EXISTS',
    });
  } finally {
    await rm(copy, { recursive: true });
  }
  await expect(backUpHeadendStore(join(directory, 'none'), join(directory, 'copy'))).rejects.toMatchObject({
    code: 'NO_STORE',
  });
});
