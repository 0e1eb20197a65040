import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeCardId } from '../../../../apdu/decode-module/card-id.ts';
import { openGrantNumbers } from '../../../../host/headend/keys/numbers/grant-numbers.ts';

const NOW = 1_700_000_000;
const [A, B] = [1, 2].map((serial) => encodeCardId({ issuer: 1, moduleClass: 'card', serial })) as [
  Uint8Array,
  Uint8Array,
];

let store: string;

beforeEach(async () => {
  store = await mkdtemp(join(tmpdir(), 'tollcast-grants-'));
});

afterEach(() => rm(store, { recursive: true, force: true }));

function take(cards: readonly Uint8Array[], now: number): Promise<readonly number[]> {
  return openGrantNumbers(store).take(cards, now);
}

test("a card's numbers begin with the present second and rise by one, whatever time it is later", async () => {
  expect(await take([A], NOW)).toEqual([NOW]);
  expect(await take([B, A], NOW + 1000)).toEqual([NOW + 1000, NOW + 1]);
  expect(await take([A], NOW - 5000)).toEqual([NOW + 2]);
  expect((await stat(join(store, 'accounts.sqlite'))).mode & 0o777).toBe(0o600);
});

test('a store that lost its file goes on above the numbers it gave', async () => {
  for (let i = 0; i < 10; i++) await take([A], NOW);
  await rm(join(store, 'accounts.sqlite'));
  expect(await take([A], NOW + 60)).toEqual([NOW + 60]);
});

test('senders that run at once each get numbers of their own', async () => {
  const module = fileURLToPath(new URL('../../../../host/headend/keys/numbers/grant-numbers.ts', import.meta.url));
  const script = `
    const { openGrantNumbers } = await import(${JSON.stringify(module)});
    const card = Uint8Array.from(${JSON.stringify([...A])});
    const numbers = openGrantNumbers(${JSON.stringify(store)});
    for (let i = 0; i < 10; i++) console.log(...(await numbers.take([card], ${NOW})));
  `;
  const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  const outputs = await Promise.all([run(), run(), run()]);
  const numbers = outputs.flatMap(({ stdout }) => stdout.trim().split('\n').map(Number));
  expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_none, i) => NOW + i));
});

test('without cards no file is made; a damaged file and a missing folder are reported in one line', async () => {
  expect(await take([], NOW)).toEqual([]);
  await expect(stat(join(store, 'accounts.sqlite'))).rejects.toThrow('ENOENT');
  await writeFile(join(store, 'accounts.sqlite'), 'this is not a database, and long enough to be noticed'.repeat(20));
  await expect(take([A], NOW)).rejects.toMatchObject({
    code: 'STORE_DAMAGED',
    message: expect.stringMatching(/put your copy of it back/) as unknown,
  });
  await expect(openGrantNumbers(join(store, 'nowhere')).take([A], NOW)).rejects.toMatchObject({
    code: 'GRANT_NUMBERS',
  });
});
