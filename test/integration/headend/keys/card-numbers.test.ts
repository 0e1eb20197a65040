import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { joinCardNumbers, openGrantNumbers } from '../../../../host/headend/keys/numbers/grant-numbers.ts';
import { openIssuerStore } from '../../../../host/store/issuer-store.ts';
import type { SharedNumbers } from '../../../../host/store/shared-numbers.ts';
import { answerOf, DeskFixture, HandCard, SOLD } from '../../../support/headend/request-desk-fixture.ts';
import { NOW } from '../../../support/headend/sample-offer.ts';

/** `headend serve` and `headend send` on one issuer store number the grants of one card. */

let card: HandCard;
let issuer: string;
let shared: SharedNumbers;
let fixture: DeskFixture;

beforeEach(async () => {
  card = new HandCard(1);
  issuer = await mkdtemp(join(tmpdir(), 'tollcast-numbers-'));
  fixture = await DeskFixture.open({
    sold: [SOLD],
    mode: 'direct',
    numbers: { take: (cardId, atLeast) => shared.take(cardId, atLeast) },
  });
});

afterEach(async () => {
  shared[Symbol.dispose]();
  await fixture.close();
  await rm(issuer, { recursive: true });
});

async function startServe(): Promise<void> {
  shared = await joinCardNumbers(issuer, fixture.directory);
}

async function restartServe(): Promise<void> {
  shared[Symbol.dispose]();
  await fixture.restart();
  await startServe();
}

/** What serve numbers a grant with. */
async function serve(): Promise<number> {
  const isJoined = fixture.listed().length > 0;
  const request = card.sign(isJoined ? 'keyRequest' : 'join', NOW, NOW + 600);
  return parseKeyMessage(answerOf(await fixture.desk.answer(request)).messages[0]!).number;
}

/** What send numbers a grant with. */
async function send(): Promise<number> {
  return (await openGrantNumbers(issuer).take([card.id], NOW))[0]!;
}

/** The table that both take from is gone, as it may be after the power failed. */
async function loseSharedTable(): Promise<void> {
  shared[Symbol.dispose]();
  for (const file of await readdir(issuer)) if (file.startsWith('numbers.sqlite')) await rm(join(issuer, file));
}

test('both at once, in processes of their own: no number goes out twice, also over a restart', async () => {
  await startServe();
  const module = fileURLToPath(new URL('../../../../host/headend/keys/numbers/grant-numbers.ts', import.meta.url));
  const script = `
    const { openGrantNumbers } = await import(${JSON.stringify(module)});
    const numbers = openGrantNumbers(${JSON.stringify(issuer)});
    const card = Uint8Array.from(${JSON.stringify([...card.id])});
    for (let i = 0; i < 15; i++) console.log(...(await numbers.take([card], ${NOW})));
  `;
  const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  const sending = Promise.all([run(), run()]);
  const served: number[] = [];
  for (let i = 0; i < 40; i++) {
    served.push(await serve());
    if (i % 10 === 9) await restartServe();
    await sleep(20);
  }
  const sent = (await sending).map(({ stdout }) => stdout.trim().split('\n').map(Number));
  for (const numbers of [served, ...sent]) expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  const all = [served, ...sent].flat();
  expect(new Set(all).size).toBe(all.length);
  // None is left out either, as a card takes 32 numbers in any order.
  expect(Math.max(...all) - Math.min(...all)).toBe(all.length - 1);
});

test('send goes on above what serve gave, though serve does not run and the shared table is lost', async () => {
  await startServe();
  expect([await serve(), await serve(), await send()]).toEqual([NOW, NOW + 1, NOW + 2]);
  expect(await serve()).toBe(NOW + 3);
  await loseSharedTable();
  expect(await send()).toBe(NOW + 4);
  await startServe();
});

test('serve goes on above what send gave, though the shared table is lost', async () => {
  await startServe();
  expect([await serve(), await send(), await send()]).toEqual([NOW, NOW + 1, NOW + 2]);
  await loseSharedTable();
  await fixture.restart();
  await startServe();
  expect([await serve(), await send()]).toEqual([NOW + 3, NOW + 4]);
});

test('a second head-end goes on above what the first gave, and one that is gone is not asked', async () => {
  await startServe();
  expect([await serve(), await serve()]).toEqual([NOW, NOW + 1]);
  await loseSharedTable();
  const gone = join(issuer, 'gone');
  using second = await joinCardNumbers(issuer, gone);
  expect(second.take(card.hex, NOW)).toBe(NOW + 2);
  await startServe();
  expect([await serve(), await send()]).toEqual([NOW + 3, NOW + 4]);
});

test('a card that both gave the same numbers before the upgrade gets higher ones from both', async () => {
  await using store = await openIssuerStore(issuer, { create: true });
  await store.insertInto('grantNumber').values({ cardId: card.id, number: 5000 }).execute();
  await fixture.store.insertInto('cardNumber').values({ cardId: card.hex, lastNumber: 5007 }).execute();
  await fixture.restart();
  await startServe();
  expect([await send(), await serve(), await send()]).toEqual([5008, 5009, 5010]);
});

test('a shared table that is damaged is made anew', async () => {
  await startServe();
  expect(await serve()).toBe(NOW);
  await loseSharedTable();
  await writeFile(join(issuer, 'numbers.sqlite'), 'this is not a database, and long enough to be noticed'.repeat(20));
  await startServe();
  expect([await serve(), await send()]).toEqual([NOW + 1, NOW + 2]);
});
