import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { Kysely, sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import { NodeSqliteDialect } from '../../../host/store/node-sqlite-dialect.ts';
import { SmallColumnsPlugin } from '../../../host/store/small-columns-plugin.ts';

interface Tables {
  readonly purse: { readonly name: string; readonly amount: bigint; readonly number: number; readonly closed: boolean };
}

let directory: string;
let connections: AsyncDisposableStack;
let first: Kysely<Tables>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-dialect-'));
  connections = new AsyncDisposableStack();
  first = connect();
  await first.schema
    .createTable('purse')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('amount', 'bigint')
    .addColumn('number', 'bigint')
    .addColumn('closed', 'boolean')
    .execute();
});

afterEach(async () => {
  await connections.disposeAsync();
  await rm(directory, { recursive: true, force: true });
});

/** A connection of its own to the same file. */
function connect(maxWait?: number): Kysely<Tables> {
  const dialect = new NodeSqliteDialect(
    () => new DatabaseSync(join(directory, 'purses.sqlite'), { timeout: 0 }),
    maxWait,
  );
  const database = new Kysely<Tables>({
    dialect,
    plugins: [new SmallColumnsPlugin({ number: 'number', closed: 'boolean' })],
  });
  return connections.adopt(database, (open) => open.destroy());
}

function addPurse(to: Kysely<Tables>, name: string, amount = 1n): Promise<unknown> {
  return to.insertInto('purse').values({ name, amount, number: 1, closed: false }).execute();
}

async function names(): Promise<readonly string[]> {
  const rows = await first.selectFrom('purse').select('name').orderBy('name').execute();
  return rows.map(({ name }) => name);
}

describe('values', () => {
  test('are read as they were written, amounts of 63 bits too', async () => {
    const amount = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    await fc.assert(
      fc.asyncProperty(amount, fc.maxSafeInteger(), fc.boolean(), fc.string(), async (sum, number, closed, name) => {
        await first.deleteFrom('purse').execute();
        await first.insertInto('purse').values({ name, amount: sum, number, closed }).execute();
        expect(await first.selectFrom('purse').selectAll().execute()).toEqual([{ name, amount: sum, number, closed }]);
      }),
      { numRuns: 30 },
    );
  });

  test('are added up without rounding', async () => {
    await addPurse(first, 'a', 2n ** 53n + 1n);
    await addPurse(first, 'b', 2n ** 53n + 2n);
    const { sum } = await first
      .selectFrom('purse')
      .select(({ fn }) => fn.sum<bigint>('amount').as('sum'))
      .executeTakeFirstOrThrow();
    expect(sum).toBe(2n ** 54n + 3n);
  });

  test.each([0.5, Number.NaN, 2 ** 53, undefined, new Date(0)])(
    'that no column holds are refused: %s',
    async (value) => {
      await expect(sql`select ${value}`.execute(first)).rejects.toThrow(OutOfRangeError);
    },
  );

  test('that are too large for a number are refused, not rounded', async () => {
    await sql`insert into purse values ('a', 1, ${2n ** 53n}, 0)`.execute(first);
    await expect(first.selectFrom('purse').select('number').execute()).rejects.toThrow(/as number, which is too large/);
    expect(await first.selectFrom('purse').select('amount').execute()).toEqual([{ amount: 1n }]);
  });

  test('of another type than the column are refused by the table', async () => {
    await expect(sql`insert into purse values ('a', 'ten', 1, 0)`.execute(first)).rejects.toThrow(/TEXT.*amount/);
  });
});

describe('a transaction', () => {
  test('that fails leaves nothing, its tables included', async () => {
    const work = first.transaction().execute(async (inside) => {
      await addPurse(inside, 'a');
      await inside.schema.createTable('other').addColumn('id', 'integer').execute();
      throw new Error('power cut');
    });
    await expect(work).rejects.toThrow('power cut');
    expect(await names()).toEqual([]);
    await expect(sql`select * from other`.execute(first)).rejects.toThrow(/no such table/);
  });

  test('waits for that of another connection of the same process, which goes on meanwhile', async () => {
    const second = connect();
    const order: string[] = [];
    const work = (database: Kysely<Tables>, name: string) =>
      database.transaction().execute(async (inside) => {
        order.push(`${name} begins`);
        await addPurse(inside, name);
        await new Promise((resolve) => setTimeout(resolve, 50));
        order.push(`${name} ends`);
      });
    await Promise.all([work(first, 'a'), work(second, 'b')]);
    expect(await names()).toEqual(['a', 'b']);
    const [one] = order[0]!.split(' ');
    const other = one === 'a' ? 'b' : 'a';
    expect(order).toEqual([`${one} begins`, `${one} ends`, `${other} begins`, `${other} ends`]);
  });

  test('of a connection that does not let go is waited for no longer than was said', async () => {
    const second = connect(100);
    await first.transaction().execute(async () => {
      await expect(second.transaction().execute((inside) => addPurse(inside, 'b'))).rejects.toMatchObject({
        code: 'STORE_BUSY',
      });
    });
    await second.transaction().execute((inside) => addPurse(inside, 'b'));
    expect(await names()).toEqual(['b']);
  });
});

test('a commit is synchronised as far as SQLite can, with a journal that is deleted', async () => {
  const pragma = async (name: string) => {
    const { rows } = await sql<Record<string, unknown>>`pragma ${sql.raw(name)}`.execute(first);
    return rows[0]?.[name];
  };
  expect(await pragma('journal_mode')).toBe('delete');
  // EXTRA.
  expect(await pragma('synchronous')).toBe(3n);
  expect(await pragma('foreign_keys')).toBe(1n);
});
