import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, cpSync } from 'node:fs';
import { copyFile, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fromHex } from '../../../apdu/octets.ts';
import { openGrantNumbers } from '../../../host/headend/keys/numbers/grant-numbers.ts';
import { Accounts } from '../../../host/issuer/cards/accounts.ts';
import { openIssuerStore } from '../../../host/store/issuer-store.ts';

const FIXTURES = fileURLToPath(new URL('fixtures', import.meta.url));
const ACCOUNTS = fileURLToPath(new URL('../../../host/issuer/cards/accounts.ts', import.meta.url));
/** Tables of the old store, and of the present one. */
const TABLES = ['issuer', 'card', 'load_order', 'receipt'];
const CARD = fromHex('0A1B2C0100000001');
const SOFT = fromHex('0A1B2C0200000002');
const YEN = fromHex('0A1B2C0100000003');
const UNKEYED = fromHex('0A1B2C01FFFFFFFF');
const NOW = 1_800_000_000;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-upgrade-'));
  await restore('accounts-3.sql', 'accounts.sqlite');
  await restore('grants.sql', 'grants.db');
});

afterEach(() => rm(directory, { recursive: true, force: true }));

/** Makes a file of an earlier version anew. */
async function restore(dump: string, file: string): Promise<void> {
  await rm(join(directory, file), { force: true });
  using database = new DatabaseSync(join(directory, file));
  database.exec(await readFile(join(FIXTURES, dump), 'utf8'));
  chmodSync(join(directory, file), 0o600);
}

function changeOldAccounts(sql: string): void {
  using database = new DatabaseSync(join(directory, 'accounts.sqlite'));
  database.exec(sql);
}

/** Every value of some tables, in the order of the columns. */
function readRows(file: string, tables: readonly string[]): unknown[][] {
  using database = new DatabaseSync(join(directory, file), { readOnly: true });
  return tables.map((table) => {
    const statement = database.prepare(`SELECT * FROM ${table}`);
    statement.setReadBigInts(true);
    return statement.all().map((row) => Object.values(row));
  });
}

async function openAndClose(): Promise<void> {
  const store = await openIssuerStore(directory);
  await store.destroy();
}

/** What the old program had accounted for, and the numbers that follow. */
async function expectEverythingKept(): Promise<void> {
  await using accounts = await Accounts.open(directory);
  expect(accounts.issuer).toBe(0x0a1b2c);
  expect(await accounts.card(CARD)).toEqual({
    cardId: CARD,
    moduleClass: 'card',
    serial: 1,
    currency: 840,
    maximumBalance: 500_000_000n,
    issuedAt: 1_795_219_200,
    spent: 2_250_000n,
    torn: 1_000_000n,
    receipts: 2,
    limits: fromHex('0000001E848000000000000000000000'),
    withdrawn: false,
    keyed: true,
    uplinkMaster: 'unique',
  });
  expect(await accounts.orderedUpTo(CARD, 3)).toBe(111_000_001n);
  expect(await accounts.creditLimitAt(CARD, 4)).toBe(3_000_000n);
  expect(await accounts.refundedSince(CARD, 0)).toBe(1_000_000n);
  expect(await accounts.receiptTotals(CARD)).toEqual({ last: 2, amount: 1_250_000n, torn: 1_000_000n });
  expect(await accounts.lastOrder(CARD)).toEqual({
    kind: 'load',
    number: 4,
    loadId: fromHex('448F8652611324A4'),
    asked: 20_000_000n,
    refund: 0n,
    signedAt: 1_795_219_240,
    proved: false,
  });
  expect(await accounts.card(SOFT)).toMatchObject({ moduleClass: 'soft', withdrawn: true, limits: null });
  expect(await accounts.receiptTotals(SOFT)).toEqual({ last: 1, amount: 1_000_000n, torn: 0n });
  expect(await accounts.orderedUpTo(YEN, 1)).toBe(2n ** 39n - 1n);
  expect(await accounts.card(UNKEYED)).toMatchObject({ serial: 2 ** 32 - 1, currency: 978, keyed: false });
  expect(await openGrantNumbers(directory).take([CARD, SOFT, YEN, UNKEYED], NOW)).toEqual([
    1_795_219_203,
    1_795_219_201,
    1_795_219_401,
    NOW,
  ]);
}

describe('a store of the last version without migrations', () => {
  test('has every balance, order, receipt and grant number as it was', async () => {
    await expectEverythingKept();
    // The old file is gone, and what is there is for its owner alone.
    expect(await readdir(directory)).toEqual(['accounts.sqlite', 'numbers.sqlite']);
    expect((await stat(join(directory, 'accounts.sqlite'))).mode & 0o777).toBe(0o600);
  });

  test('keeps every value of every row', async () => {
    const before = readRows('accounts.sqlite', TABLES);
    const [numbers] = readRows('grants.db', ['last_grant']);
    await openAndClose();
    // A card that was made before there was an uplink master has an uplink key of the unique one.
    const withMaster = before.map((rows, i) =>
      TABLES[i] === 'card' ? rows.map((row) => [...(row as unknown[]), 'unique']) : rows,
    );
    expect(readRows('accounts.sqlite', TABLES)).toEqual(withMaster);
    expect(readRows('accounts.sqlite', ['grant_number'])).toEqual([numbers]);
  });

  test('is the same after it was opened again', async () => {
    await openAndClose();
    const octets = await readFile(join(directory, 'accounts.sqlite'));
    await openAndClose();
    expect(await readFile(join(directory, 'accounts.sqlite'))).toEqual(octets);
    await expectEverythingKept();
  });

  test('is brought up to date once by processes that open it at the same time', async () => {
    const script = `const { Accounts } = await import(${JSON.stringify(ACCOUNTS)});
      await using accounts = await Accounts.open(${JSON.stringify(directory)});
      console.log(accounts.issuer);`;
    const open = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    const outputs = await Promise.all([open(), open(), open()]);
    expect(outputs.map(({ stdout }) => stdout.trim())).toEqual(Array(3).fill(String(0x0a1b2c)));
    await expectEverythingKept();
  });

  test('is not opened by the old program any more, which would not see the new grant numbers', async () => {
    await openAndClose();
    expect(readRows('accounts.sqlite', ['pragma_user_version'])).toEqual([[[4n]]]);
  });

  test('is whole after a crash before any statement of its first opening', async () => {
    const images = await openWithImages();
    // Fewer would mean that they were taken too early to tell anything.
    expect(images.length).toBeGreaterThan(20);
    for (const image of images) {
      await rm(directory, { recursive: true });
      await rename(image, directory);
      await expectEverythingKept();
    }
  });

  /** Opens the store. @returns copies of its files before each statement: what a crash there would have left. */
  async function openWithImages(): Promise<readonly string[]> {
    const images: string[] = [];
    const prepare = Object.getOwnPropertyDescriptor(DatabaseSync.prototype, 'prepare')!;
    const run = prepare.value as (this: DatabaseSync, sql: string) => StatementSync;
    Object.defineProperty(DatabaseSync.prototype, 'prepare', {
      ...prepare,
      value(this: DatabaseSync, sql: string) {
        const image = `${directory}.${images.length}`;
        cpSync(directory, image, { recursive: true });
        images.push(image);
        return run.call(this, sql);
      },
    });
    try {
      await openAndClose();
    } finally {
      Object.defineProperty(DatabaseSync.prototype, 'prepare', prepare);
    }
    return images;
  }
});

describe('a store of a still earlier version', () => {
  const THIRD = 'ALTER TABLE card DROP COLUMN keyed';
  const SECOND = ['limits', 'receipts', 'withdrawn'].map((column) => `ALTER TABLE card DROP COLUMN ${column}`);

  test('of the second has all its cards keyed', async () => {
    changeOldAccounts(`${THIRD}; PRAGMA user_version = 2`);
    await using accounts = await Accounts.open(directory);
    expect(await accounts.card(UNKEYED)).toMatchObject({ keyed: true, withdrawn: false });
    expect(await accounts.card(SOFT)).toMatchObject({ keyed: true, withdrawn: true });
    expect(await accounts.creditLimitAt(CARD, 4)).toBe(3_000_000n);
  });

  test('of the first has loads alone, and no card withdrawn', async () => {
    changeOldAccounts(
      [THIRD, ...SECOND, 'ALTER TABLE load_order DROP COLUMN kind', 'PRAGMA user_version = 1'].join(';'),
    );
    await using accounts = await Accounts.open(directory);
    expect(await accounts.card(SOFT)).toMatchObject({ withdrawn: false, limits: null, receipts: 0, spent: 1_000_000n });
    expect(await accounts.orderedUpTo(CARD, 4)).toBe(134_000_001n);
    expect(await accounts.receiptTotals(CARD)).toEqual({ last: 2, amount: 1_250_000n, torn: 1_000_000n });
  });
});

describe('an old file of grant numbers', () => {
  test('that is put back later never lowers a number', async () => {
    await openAndClose();
    const numbers = openGrantNumbers(directory);
    expect(await numbers.take([CARD], NOW)).toEqual([1_795_219_203]);
    await restore('grants.sql', 'grants.db');
    expect(await numbers.take([CARD], NOW)).toEqual([1_795_219_204]);
  });

  test('is taken over by a head-end that has no accounts', async () => {
    await rm(join(directory, 'accounts.sqlite'));
    expect(await openGrantNumbers(directory).take([CARD, UNKEYED], NOW)).toEqual([1_795_219_203, NOW]);
    expect(await readdir(directory)).toEqual(['accounts.sqlite', 'numbers.sqlite']);
    await expect(Accounts.open(directory)).rejects.toMatchObject({ code: 'NO_STORE' });
  });

  test('that is empty, as a crash may have left it, holds nothing up', async () => {
    await writeFile(join(directory, 'grants.db'), '');
    expect(await openGrantNumbers(directory).take([CARD], NOW)).toEqual([NOW]);
    expect(await readdir(directory)).toEqual(['accounts.sqlite', 'numbers.sqlite']);
  });

  test('that is damaged is named, and the accounts stay as they are', async () => {
    await writeFile(join(directory, 'grants.db'), 'this is not a database, and long enough to be noticed'.repeat(20));
    await expect(Accounts.open(directory)).rejects.toMatchObject({
      code: 'STORE_DAMAGED',
      message: expect.stringMatching(/grants\.db is damaged; put your copy of it back, or delete it$/) as unknown,
    });
    await rm(join(directory, 'grants.db'));
    await using accounts = await Accounts.open(directory);
    expect(await accounts.orderedUpTo(CARD, 3)).toBe(111_000_001n);
  });
});

describe('a store that cannot be used is refused in one line that says what to do', () => {
  test('when a newer program has written it', async () => {
    await openAndClose();
    changeOldAccounts("INSERT INTO kysely_migration VALUES ('9999-of-tomorrow', '2030-01-01T00:00:00.000Z')");
    const octets = await readFile(join(directory, 'accounts.sqlite'));
    await expect(Accounts.open(directory)).rejects.toMatchObject({
      code: 'STORE_NEWER',
      message: expect.stringMatching(
        /^a newer version of this program has written .*; install that version$/,
      ) as unknown,
    });
    expect(await readFile(join(directory, 'accounts.sqlite'))).toEqual(octets);
  });

  test('when it is of an earlier version and cannot be written', () => {
    chmodSync(join(directory, 'accounts.sqlite'), 0o400);
    const script = `const { Accounts } = await import(${JSON.stringify(ACCOUNTS)});
      await Accounts.open(${JSON.stringify(directory)}).catch(({ code, message }) => console.log(code + ': ' + message));`;
    const node = [process.execPath, '--input-type=module', '-e', script];
    // Root may write any file, unless it gives that up.
    const [command = '', ...args] =
      process.getuid?.() === 0 ? ['setpriv', '--bounding-set', '-dac_override', ...node] : node;
    const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    expect(stdout, stderr).toMatch(
      /^STORE_READ_ONLY: the store in .* of an earlier version .*; let this program write/,
    );
  });

  test('when it is a database of something else, which is not touched', async () => {
    const path = join(directory, 'accounts.sqlite');
    await rm(path);
    using database = new DatabaseSync(path);
    database.exec('CREATE TABLE recipe (name TEXT)');
    const octets = await readFile(path);
    await expect(Accounts.open(directory)).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
    expect(await readFile(path)).toEqual(octets);
  });

  test('when its pages are damaged', async () => {
    const path = join(directory, 'accounts.sqlite');
    const octets = await readFile(path);
    await writeFile(path, octets.fill(0x55, 100, octets.length));
    await expect(Accounts.open(directory)).rejects.toMatchObject({
      code: 'STORE_DAMAGED',
      message: expect.stringMatching(/accounts\.sqlite is damaged .*; put your copy of it back$/) as unknown,
    });
  });

  test('when it is not there', async () => {
    await rm(join(directory, 'accounts.sqlite'));
    await copyFile(join(FIXTURES, 'grants.sql'), join(directory, 'other'));
    await expect(Accounts.open(directory)).rejects.toMatchObject({
      code: 'NO_STORE',
      message: expect.stringMatching(/; type: tollcast issuer init$/) as unknown,
    });
    expect((await readdir(directory)).toSorted()).toEqual(['grants.db', 'other']);
  });
});
