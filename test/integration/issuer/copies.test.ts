import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openGrantNumbers } from '../../../host/headend/keys/numbers/grant-numbers.ts';
import { Accounts } from '../../../host/issuer/cards/accounts.ts';
import { backUpStore } from '../../../host/issuer/copies/backup.ts';
import { restoreStore } from '../../../host/issuer/copies/restore.ts';
import { changePassphrase } from '../../../host/issuer/keys/change-passphrase.ts';
import { KeyStore } from '../../../host/issuer/keys/key-store.ts';
import { expectRefusal, IssuerDesk, NOVEMBER, UNIT } from '../../support/issuer-desk.ts';
import { makeCardMemory, PASSPHRASE } from '../../support/issuer-fixture.ts';

const NEXT = 'another passphrase of this test';
const ACCOUNTS = new URL('../../../host/issuer/cards/accounts.ts', import.meta.url).href;

let desk: IssuerDesk;
let folder: string;
let copy: string;

beforeEach(async () => {
  desk = await IssuerDesk.open();
  desk.insertMemory(makeCardMemory());
  await desk.makeCard();
  await desk.load(5n * UNIT);
  folder = await mkdtemp(join(tmpdir(), 'tollcast-copies-'));
  copy = join(folder, 'copy');
});

afterEach(async () => {
  await desk.close();
  await rm(folder, { recursive: true, force: true });
});

function master(store: string, passphrase: string): Promise<Uint8Array> {
  return new KeyStore(store, async () => passphrase).open('load');
}

test('a store is backed up and restored, with the same masters and accounts', async () => {
  await desk.watchAndClose(1);
  await desk.collect();
  const contents = { issuer: desk.accounts.issuer, cards: 1, orders: 1, receipts: 1 };
  expect(await backUpStore(desk.issuer.store, copy)).toEqual(contents);
  for (const file of await readdir(copy)) expect((await stat(join(copy, file))).mode & 0o777).toBe(0o600);
  expect((await stat(copy)).mode & 0o777).toBe(0o700);

  const restored = join(folder, 'restored');
  expect(await restoreStore(copy, restored, NOVEMBER)).toEqual({ ...contents, grantNumber: 0 });
  expect(await master(restored, PASSPHRASE)).toEqual(await master(desk.issuer.store, PASSPHRASE));
  await desk.accounts.close();
  desk.issuer.accounts = await Accounts.open(restored);
  expect(await desk.load(1n * UNIT)).toMatchObject({ balance: 5_750_000n, repeated: false });
});

test('a store is backed up while another process writes', async () => {
  const script = `
    const { Accounts } = await import(${JSON.stringify(ACCOUNTS)});
    const accounts = await Accounts.open(process.argv[1]);
    for (let serial = 1; ; serial++) {
      await accounts.addCard({ moduleClass: 'card', serial, currency: 840, maximumBalance: 1n }, 0);
      if (serial === 3) process.stdout.write('writing');
    }`;
  const writer = spawn(process.execPath, ['--input-type=module', '-e', script, desk.issuer.store]);
  const stderr: Buffer[] = [];
  writer.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  try {
    await once(writer.stdout, 'data');
    const first = await backUpStore(desk.issuer.store, copy);
    const second = await backUpStore(desk.issuer.store, join(folder, 'second'));
    expect(first.cards).toBeGreaterThan(3);
    expect(second.cards).toBeGreaterThanOrEqual(first.cards);
    // The writer went on all the while.
    const written = async () => (await desk.accounts.tables.count()).cards;
    await vi.waitFor(async () => expect(await written()).toBeGreaterThan(second.cards), { timeout: 20_000 });
    expect(writer.exitCode, Buffer.concat(stderr).toString()).toBeNull();
  } finally {
    writer.kill();
    await once(writer, 'exit');
  }
  await using accounts = await Accounts.open(copy);
  expect(await accounts.isSound()).toBe(true);
});

test('a copy is kept from a directory that is there, and a failed one leaves nothing behind', async () => {
  await writeFile(join(folder, 'file'), '');
  await expectRefusal(backUpStore(desk.issuer.store, folder), 'STORE_EXISTS');
  await rename(join(desk.issuer.store, 'load.key'), join(folder, 'load.key'));
  await writeFile(join(desk.issuer.store, 'load.key'), 'not a master', { mode: 0o600 });
  await expectRefusal(backUpStore(desk.issuer.store, copy), 'STORE_DAMAGED');
  expect((await readdir(folder)).toSorted()).toEqual(['file', 'load.key']);
});

test('a restored store gives no grant number again', async () => {
  const { store } = desk.issuer;
  const grants = openGrantNumbers(store);
  const [first] = await grants.take([desk.cardId], NOVEMBER);
  await backUpStore(store, copy);
  let last = 0;
  for (let i = 0; i < 20; i++) [last = 0] = await grants.take([desk.cardId], NOVEMBER);
  expect(last).toBeGreaterThan(first!);
  await desk.accounts.close();
  await rename(store, join(folder, 'lost'));
  const now = NOVEMBER + 86_400;
  expect(await restoreStore(copy, store, now)).toMatchObject({ grantNumber: now });
  const [next] = await openGrantNumbers(store).take([desk.cardId], now);
  expect(next).toBeGreaterThan(last);
  desk.issuer.accounts = await Accounts.open(store);
});

test('a store that is there is never overwritten, and the error says what the copy lacks', async () => {
  const { store } = desk.issuer;
  await backUpStore(store, copy);
  expect(await expectRefusal(restoreStore(copy, store, NOVEMBER), 'STORE_EXISTS')).toMatch(/has all that the copy has/);
  await desk.load(1n * UNIT);
  await desk.watchAndClose(1);
  await desk.collect();
  await openGrantNumbers(store).take([desk.cardId], NOVEMBER);
  const message = await expectRefusal(restoreStore(copy, store, NOVEMBER), 'STORE_EXISTS');
  expect(message).toContain('0 cards, 1 orders, 1 receipts, and newer grant numbers of 1 cards');
  expect(message).toContain(`mv ${store} ${store}.old`);
  expect(await desk.module.getPurse()).toMatchObject({ loaded: 6n * UNIT });
  // Nothing of a draft is left beside it.
  expect(await readdir(join(store, '..'))).toEqual(['issuer']);
});

test('a copy that is damaged or none at all is refused', async () => {
  const target = join(folder, 'restored');
  await expectRefusal(restoreStore(folder, target, NOVEMBER), 'NO_STORE');
  await backUpStore(desk.issuer.store, copy);
  const file = join(copy, 'accounts.sqlite');
  const whole = join(folder, 'whole');
  await copyFile(file, whole);
  await writeFile(file, 'no database');
  await expectRefusal(restoreStore(copy, target, NOVEMBER), 'STORE_DAMAGED');
  await copyFile(whole, file);
  await writeFile(join(copy, 'unique.key'), '{}');
  await expectRefusal(restoreStore(copy, target, NOVEMBER), 'STORE_DAMAGED');
  expect(await readdir(folder)).not.toContain('restored');
});

test('the passphrase is changed, and an attempt that was interrupted is repeated', async () => {
  const { store } = desk.issuer;
  const before = await master(store, PASSPHRASE);
  await expectRefusal(changePassphrase(store, 'neither of the two', NEXT, 14), 'WRONG_PASSPHRASE');
  await expectRefusal(changePassphrase(store, PASSPHRASE, 'short', 14), 'NO_PASSPHRASE');
  await copyFile(join(store, 'unique.key'), join(folder, 'unique.key'));
  expect(await changePassphrase(store, PASSPHRASE, NEXT, 14)).toContain('unique');
  // As if it had been cut off before this file was renamed.
  await rename(join(folder, 'unique.key'), join(store, 'unique.key'));
  await writeFile(join(store, 'unique.key.new'), 'half');
  await changePassphrase(store, PASSPHRASE, NEXT, 14);
  expect(await master(store, NEXT)).toEqual(before);
  await expectRefusal(master(store, PASSPHRASE), 'WRONG_PASSPHRASE');
  for (const file of await readdir(store)) {
    expect(file).not.toMatch(/new/);
    expect((await stat(join(store, file))).mode & 0o777).toBe(0o600);
  }
});
