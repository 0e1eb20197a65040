import { statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GroupWriter } from '../../../host/store/group-writer.ts';

let directory: string;
let path: string;
let writer: GroupWriter;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-group-writer-'));
  path = join(directory, 'numbers.sqlite');
  using database = new DatabaseSync(path);
  database.exec('create table number (value integer primary key, name text not null) strict');
  writer = new GroupWriter(path);
});

afterEach(async () => {
  await writer.close();
  await rm(directory, { recursive: true });
});

const insert = (value: number, name: string | null = 'x') => ({
  sql: 'insert into number (value, name) values (?, ?)',
  values: [value, name],
});

function readNumbers(): unknown[] {
  using database = new DatabaseSync(path, { readOnly: true });
  return database
    .prepare('select value from number order by value')
    .all()
    .map(({ value }) => value);
}

test('what was committed is there for other connections', async () => {
  await writer.commit([insert(1), insert(2)]);
  expect(readNumbers()).toEqual([1, 2]);
});

test('the log has its length before it is written, beside what another connection has in it, and keeps it', async () => {
  await writer.commit([]);
  const { size } = statSync(`${path}-wal`);
  expect(size).toBeGreaterThan(8_000_000);
  using other = new DatabaseSync(path);
  other.prepare('insert into number (value, name) values (7, ?)').run('other');
  await using second = new GroupWriter(path);
  for (let value = 10; value < 60; value++) await (value % 2 === 0 ? writer : second).commit([insert(value)]);
  expect(readNumbers()).toEqual([7, ...Array.from({ length: 50 }, (_, i) => 10 + i)]);
  expect(statSync(`${path}-wal`).size).toBe(size);
});

test('what comes in one turn, and while a commit is on its way, goes in groups and in order', async () => {
  const order: number[] = [];
  const commits = Array.from({ length: 200 }, async (_, i) => {
    await writer.commit([{ sql: 'delete from number where value = ?', values: [i - 1] }, insert(i)]);
    order.push(i);
  });
  await Promise.all(commits);
  expect(order).toEqual(Array.from({ length: 200 }, (_, i) => i));
  expect(readNumbers()).toEqual([199]);
});

test('a unit that fails changes nothing and takes no other along', async () => {
  const outcomes = await Promise.allSettled([
    writer.commit([insert(1)]),
    writer.commit([insert(2), insert(3, null)]),
    writer.commit([insert(1)]),
    writer.commit([insert(4)]),
    writer.commit([{ sql: 'insert into nowhere values (?)', values: [1] }]),
    writer.commit([insert(5)]),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  expect(outcomes[1]).toMatchObject({ reason: { code: 'STORE_FAILED', cause: { errcode: 1299 } } });
  expect(readNumbers()).toEqual([1, 4, 5]);
});

test('all kinds of values come back as they were written', async () => {
  const sql = 'create table value (a any, b any, c any, d any, e any) strict';
  await writer.commit([{ sql, values: [] }]);
  const values = [7, 2n ** 62n, 'text', Uint8Array.of(1, 2), null];
  await writer.commit([{ sql: 'insert into value values (?, ?, ?, ?, ?)', values }]);
  using database = new DatabaseSync(path);
  const statement = database.prepare('select * from value');
  statement.setReadBigInts(true);
  expect(Object.values(statement.get()!)).toEqual([7, 2n ** 62n, 'text', Uint8Array.of(1, 2), null]);
});

test('closing waits for what was handed over; afterwards nothing is taken', async () => {
  const commits = [writer.commit([insert(1)]), writer.commit([insert(2)])];
  await writer.close();
  await Promise.all(commits);
  expect(readNumbers()).toEqual([1, 2]);
  await expect(writer.commit([insert(3)])).rejects.toMatchObject({ code: 'STORE_FAILED' });
});

test('another writer is waited for', async () => {
  using other = new DatabaseSync(path);
  other.exec('begin immediate');
  const commit = writer.commit([insert(1)]);
  other.exec("insert into number values (2, 'other')");
  other.exec('commit');
  await commit;
  expect(readNumbers()).toEqual([1, 2]);
});
