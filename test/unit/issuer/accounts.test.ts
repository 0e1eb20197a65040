import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeCardId } from '../../../apdu/decode-module/card-id.ts';
import { toHex } from '../../../apdu/octets.ts';
import { Accounts } from '../../../host/issuer/cards/accounts.ts';

const ISSUER = 0x0a1b2c;
const CARD = { moduleClass: 'card', currency: 840, maximumBalance: 1n } as const;
const ORDER = { kind: 'load', loadId: new Uint8Array(8), asked: 1n, refund: 0n, signedAt: 0 } as const;
const MODULE = new URL('../../../host/issuer/cards/accounts.ts', import.meta.url).href;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-accounts-'));
  await Accounts.create(directory, ISSUER);
});

afterEach(() => rm(directory, { recursive: true, force: true }));

test('opening makes no accounts where there are none', async () => {
  await rm(join(directory, 'accounts.sqlite'));
  await expect(Accounts.open(directory)).rejects.toThrow(/tollcast issuer init/);
  expect(await readdir(directory)).toEqual([]);
});

test('accounts are not made where there are some', async () => {
  await expect(Accounts.create(directory, ISSUER + 1)).rejects.toMatchObject({ code: 'STORE_EXISTS' });
  await using accounts = await Accounts.open(directory);
  expect(accounts.issuer).toBe(ISSUER);
});

test('every card gets another serial, whatever its class', async () => {
  await using accounts = await Accounts.open(directory);
  const ids = [
    await accounts.addCard(CARD, 0),
    await accounts.addCard({ ...CARD, serial: 7 }, 0),
    await accounts.addCard(CARD, 0),
    await accounts.addCard({ ...CARD, moduleClass: 'soft' }, 0),
  ];
  expect(ids.map(toHex)).toEqual(['0a1b2c0100000001', '0a1b2c0100000007', '0a1b2c0100000008', '0a1b2c0200000009']);
  await expect(accounts.addCard({ ...CARD, serial: 7 }, 0)).rejects.toMatchObject({ code: 'SERIAL_TAKEN' });
});

test('accounts that were put back from a copy give no card id again', async () => {
  const copy = await mkdtemp(join(tmpdir(), 'tollcast-accounts-copy-'));
  try {
    const start = 1_790_000_000;
    const issued: string[] = [];
    {
      await using accounts = await Accounts.open(directory);
      issued.push(toHex(await accounts.addCard(CARD, start)));
    }
    await cp(directory, copy, { recursive: true });
    {
      await using accounts = await Accounts.open(directory);
      // Two in one second, and more later.
      for (const after of [10, 10, 20, 30]) issued.push(toHex(await accounts.addCard(CARD, start + after)));
    }
    await rm(directory, { recursive: true });
    await cp(copy, directory, { recursive: true });
    await using accounts = await Accounts.open(directory);
    for (const after of [31, 31, 32]) issued.push(toHex(await accounts.addCard(CARD, start + after)));
    expect(new Set(issued).size).toBe(8);
    expect(issued.slice(0, 4).map((id) => Number.parseInt(id.slice(8), 16) - start)).toEqual([0, 10, 11, 20]);
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
});

test('cards that are added at once by several processes get different serials', async () => {
  await using first = await Accounts.open(directory);
  await using second = await Accounts.open(directory);
  const both = Array.from({ length: 5 }, () => [first.addCard(CARD, 0), second.addCard(CARD, 0)]).flat();
  expect(new Set((await Promise.all(both)).map(toHex)).size).toBe(10);
});

test('no number has two orders', async () => {
  await using accounts = await Accounts.open(directory);
  const cardId = await accounts.addCard(CARD, 0);
  await accounts.addOrder(cardId, { ...ORDER, number: 1 });
  await expect(accounts.addOrder(cardId, { ...ORDER, number: 1, asked: 2n })).rejects.toThrow(/UNIQUE/);
  expect(await accounts.lastOrder(cardId)).toEqual({ ...ORDER, number: 1, proved: false });
});

test('an order of a card without an account is refused', async () => {
  await using accounts = await Accounts.open(directory);
  const unknown = encodeCardId({ issuer: ISSUER, moduleClass: 'card', serial: 9 });
  await expect(accounts.addOrder(unknown, { ...ORDER, number: 1 })).rejects.toThrow(/FOREIGN KEY/);
});

test('sums are exact where floating point is not', async () => {
  await using accounts = await Accounts.open(directory);
  const cardId = await accounts.addCard(CARD, 0);
  const asked = 2n ** 53n - 1n;
  for (const number of [1, 2, 3]) await accounts.addOrder(cardId, { ...ORDER, number, asked, refund: 1n });
  expect(await accounts.orderedUpTo(cardId, 2)).toBe(2n ** 54n);
  expect(await accounts.orderedUpTo(cardId, 3)).toBe(3n * 2n ** 53n);
  expect(await accounts.refundedSince(cardId, 0)).toBe(3n);
});

test('a killed process leaves what it committed, and nothing else', async () => {
  const program = `
    const { Accounts } = await import(${JSON.stringify(MODULE)});
    const accounts = await Accounts.open(${JSON.stringify(directory)});
    const id = await accounts.addCard({ moduleClass: 'card', currency: 840, maximumBalance: 1n }, 0);
    await accounts.transaction(async (inside) => {
      const order = { kind: 'load', number: 1, loadId: new Uint8Array(8), asked: 1n, refund: 0n, signedAt: 0 };
      await inside.addOrder(id, order);
      process.kill(process.pid, 'SIGKILL');
    });
  `;
  const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', program]);
  expect(signal).toBe('SIGKILL');
  await using accounts = await Accounts.open(directory);
  const cardId = encodeCardId({ issuer: ISSUER, moduleClass: 'card', serial: 1 });
  expect(await accounts.card(cardId)).toMatchObject({ serial: 1 });
  expect(await accounts.lastOrder(cardId)).toBeUndefined();
});
