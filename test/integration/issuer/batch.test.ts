import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterEach, assert, beforeEach, expect, test, vi } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { encodePin } from '../../../apdu/decode-module/pin.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import { startCard } from '../../../card-sim/index.ts';
import { readBatch } from '../../../host/cli/issuer/batch-file.ts';
import { type BatchEntry, BatchJournal } from '../../../host/issuer/batch/batch-journal.ts';
import { type BatchCard, type BatchContext, runBatch } from '../../../host/issuer/batch/run-batch.ts';
import { openCard } from '../../../host/transport/card/card-address.ts';
import { expectRefusal, NOVEMBER, UNIT } from '../../support/issuer-desk.ts';
import { FaultyChannel, type IssuerFixture, PASSPHRASE, startIssuer } from '../../support/issuer-fixture.ts';
import { runTollcast, TOLLCAST } from '../../support/tollcast-cli.ts';

const PROFILE = {
  moduleClass: 'soft',
  currency: 840,
  maximumBalance: 100n * UNIT,
  maximumUnacknowledged: 100n * UNIT,
} as const;

let issuer: IssuerFixture;
let folder: string;
let letters: Map<string, string>;

beforeEach(async () => {
  issuer = await startIssuer(0x0a1b2c);
  folder = await mkdtemp(join(tmpdir(), 'tollcast-batch-'));
  letters = new Map();
});

afterEach(async () => {
  await issuer.close();
  await rm(folder, { recursive: true, force: true });
});

function makeCards(count: number): BatchCard[] {
  return Array.from({ length: count }, (_, i) => ({
    row: i + 1,
    address: `soft:${join(folder, `card-${i + 1}`)}`,
    wanted: PROFILE,
    withPin: true,
    load: { amount: 5n * UNIT, currency: 840, refundCap: 0n },
  }));
}

/** Runs a batch with the journal of this test. @returns what became of the rows. */
async function run(cards: readonly BatchCard[], change: Partial<BatchContext> = {}): Promise<BatchEntry[]> {
  using journal = new BatchJournal(join(folder, 'results.csv'));
  const entries: BatchEntry[] = [];
  await runBatch(cards, {
    keys: issuer.keys,
    accounts: issuer.accounts,
    journal,
    installed: TEST_KEY_SET,
    now: () => NOVEMBER,
    open: ({ address }) => openCard(address, { create: true }),
    keepLetter: async (card, pin) => void letters.set(card, pin),
    jobs: 8,
    onEntry: (entry) => entries.push(entry),
    ...change,
  });
  return entries.toSorted((a, b) => a.row - b.row);
}

/** The card of a row is made, loaded once, and has the PIN of its letter. */
async function expectMade({ address }: BatchCard, entry: BatchEntry): Promise<void> {
  expect(entry).toMatchObject({ state: 'done' });
  const channel = await openCard(address);
  try {
    const module = new DecodeModule(channel);
    const { life, cardId } = await module.select();
    expect({ life, card: formatCardId(cardId) }).toEqual({ life: 'active', card: entry.card });
    expect(await module.getPurse()).toMatchObject({ loaded: 5n * UNIT, loadNumber: 1 });
    const pin = letters.get(entry.card);
    assert(pin !== undefined);
    await module.verifyPin(encodePin(pin));
  } finally {
    await channel.close();
  }
}

test('100 cards are made and loaded, several at a time', async () => {
  const cards = makeCards(100);
  const started = performance.now();
  const entries = await run(cards);
  console.info(`100 soft cards made and loaded in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  expect(entries).toHaveLength(100);
  expect(new Set(entries.map(({ card }) => card)).size).toBe(100);
  expect(new Set(letters.values()).size).toBeGreaterThan(90);
  for (const [i, card] of cards.entries()) await expectMade(card, entries[i]!);
  // Repeated, it touches no card.
  const again = await run(cards, { open: () => assert.fail('this card was done') });
  expect(again).toEqual(entries);
  expect((await issuer.accounts.tables.count()).cards).toBe(100);
}, 120_000);

test('a batch that is cut off at any command of a card goes on there', async () => {
  // The commands that one card gets.
  let sent = 0;
  const counted = async (address: string): Promise<CardChannel> => {
    const channel = new FaultyChannel(await openCard(address, { create: true }));
    return {
      atr: channel.atr,
      transmit: (command) => (sent++, channel.transmit(command)),
      close: () => channel.close(),
    };
  };
  const [first] = makeCards(1);
  await run([first!], { open: ({ address }) => counted(address) });
  expect(sent).toBeGreaterThan(8);

  // One card for each command after which everything ends.
  const cards = makeCards(2 * sent).slice(1);
  const cut = new Error('the power is cut');
  for (const [i, card] of cards.entries()) {
    const isLost = i % 2 === 0;
    const open = async ({ address }: BatchCard): Promise<CardChannel> => {
      const channel = await openCard(address, { create: true });
      let left = Math.floor(i / 2);
      return {
        atr: channel.atr,
        async transmit(command) {
          if (left-- > 0) return channel.transmit(command);
          if (!isLost) await channel.transmit(command);
          throw cut;
        },
        close: () => channel.close(),
      };
    };
    await expect(run([card], { open })).rejects.toBe(cut);
  }
  const entries = await run(cards);
  for (const [i, card] of cards.entries()) await expectMade(card, entries[i]!);
}, 60_000);

test('a card that fails stops no other, and is tried again', async () => {
  const cards = makeCards(3);
  const open = async ({ row, address }: BatchCard): Promise<CardChannel> => {
    const channel = new FaultyChannel(await openCard(address, { create: true }));
    if (row === 2) channel.fail(INS.LOAD_CREDIT, 'answer lost');
    return channel;
  };
  const entries = await run(cards, { open });
  expect(entries.map(({ state }) => state)).toEqual(['done', 'failed', 'done']);
  expect(entries[1]).toMatchObject({ code: 'CARD_GONE' });
  const again = await run(cards);
  for (const [i, card] of cards.entries()) await expectMade(card, again[i]!);
});

test('the journal does without a last line that was cut off, and is of one batch alone', async () => {
  const cards = makeCards(2);
  const path = join(folder, 'results.csv');
  const entries = await run(cards);
  await truncate(path, (await stat(path)).size - 5);
  expect(await run(cards)).toMatchObject([{ state: 'done' }, { state: 'done' }]);
  const rows: string[][] = parse(await readFile(path, 'utf8'));
  // Either card was the last one; it is entered again.
  const [row = '', ...entered] = rows.at(-1)!.slice(0, 4);
  const index = Number(row) - 1;
  expect(entered).toEqual([cards[index]!.address, entries[index]!.card, 'done']);
  const other = { ...cards[0]!, address: 'soft:another' };
  expect(await expectRefusal(run([other]), 'INPUT')).toMatch(/name another file with --results/);
  await writeFile(path, 'a,b\n1,2\n');
  await expectRefusal(run(cards), 'INPUT');
});

test('a CSV of cards is made by one command, with letters and results', async () => {
  const env = { ...process.env, TOLLCAST_PASSPHRASE: PASSPHRASE };
  const tollcast = (...args: readonly string[]) => {
    const all = ['issuer', 'batch', 'cards.csv', '--store', issuer.store, ...args];
    return runTollcast(all, { cwd: folder, env });
  };
  const csv =
    'card,serial,currency,amount,rating,pin\nsoft:a,7,USD,2.50,,no\nsoft:b,,EUR,1.00 EUR,12,yes\nsoft:c,7,,,,\n';
  await writeFile(join(folder, 'cards.csv'), csv);
  expect(await tollcast('--pin')).toMatchObject({ code: 2, stderr: expect.stringContaining('--letters') as string });
  const first = await tollcast('--pin', '--letters', 'letters', '--jobs', '1');
  expect(first).toMatchObject({ code: 1, stdout: '' });
  expect(first.stderr).toMatch(/1\/3 {2}row 1 {2}soft:a {2}0a1b2c-02-00000007 {2}done\n/);
  expect(first.stderr).toMatch(/2 of 3 cards are done; cards\.csv\.results\.csv says why/);
  expect(first.stderr).toMatch(/row 3 {2}soft:c {2}failed {2}card 0a1b2c-02-00000007 was issued before/);

  await writeFile(join(folder, 'cards.csv'), csv.replace('soft:c,7', 'soft:c,9'));
  const second = await tollcast('--pin', '--letters', 'letters', '--json');
  expect(second.code).toBe(0);
  const { done, cards } = JSON.parse(second.stdout) as { done: number; cards: BatchEntry[] };
  expect(done).toBe(3);
  expect(cards).toMatchObject([{ row: 1 }, { row: 2 }, { row: 3, card: '0a1b2c-02-00000009', state: 'done' }]);
  const files = (await readdir(join(folder, 'letters'))).toSorted();
  expect(files).toEqual([`${cards[1]!.card}.txt`, `${cards[2]!.card}.txt`].toSorted());
  const letter = await readFile(join(folder, 'letters', files[0]!), 'utf8');
  const pin = /PIN {3}(\d{6})\n/.exec(letter)?.[1];
  assert(pin !== undefined);
  expect((await stat(join(folder, 'letters', files[0]!))).mode & 0o777).toBe(0o600);
  // No PIN stands anywhere else.
  const said = first.stdout + first.stderr + second.stdout + second.stderr;
  expect(said + (await readFile(join(folder, 'cards.csv.results.csv'), 'utf8'))).not.toContain(pin);
}, 60_000);

test('the cards of one reader are made one after the other, as they are inserted', async () => {
  await using card = await startCard({ kind: 'jcardsim' });
  await writeFile(join(folder, 'cards.csv'), `card\n${`${card.address}\n`.repeat(2)}`);
  const env = { ...process.env, TOLLCAST_PASSPHRASE: PASSPHRASE };
  const args = [TOLLCAST, 'issuer', 'batch', 'cards.csv', '--store', issuer.store, '--json'];
  const child = spawn(process.execPath, args, { cwd: folder, env });
  let said = '';
  let out = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  await vi.waitFor(() => expect(said).toMatch(/card 0a1b2c-01-[0-9a-f]{8} is done; insert that of row 2\n/), {
    timeout: 30_000,
  });
  // A blank one in its place.
  await card.erase();
  const [code] = (await once(child, 'close')) as [number];
  expect({ code, said }).toEqual({ code: 0, said: expect.stringContaining('2/2') as string });
  const { cards } = JSON.parse(out) as { cards: BatchEntry[] };
  expect(cards.map(({ state }) => state)).toEqual(['done', 'done']);
  expect(cards[0]!.card).not.toBe(cards[1]!.card);
}, 60_000);

test('a batch that is stopped ends after the cards that are being made', async () => {
  const cards = makeCards(4);
  const stop = new AbortController();
  const open: BatchContext['open'] = async ({ row, address }) => {
    if (row < 3) return openCard(address, { create: true });
    stop.abort();
    throw stop.signal.reason;
  };
  const entries = await run(cards, { open, jobs: 1, signal: stop.signal });
  expect(entries.map(({ row, state }) => [row, state])).toEqual([
    [1, 'done'],
    [2, 'done'],
  ]);
});

test.each([
  ['', /has 0 cards/],
  ['card\n', /has 0 cards/],
  ['serial\n1\n', /has no column "card"/],
  ['card,colour\nsoft:a,red\n', /has a column "colour"; the columns are card and serial, class/],
  ['card,serial\nsoft:a,x\n', /card 1: "x" does not fit/],
  ['card,amount\nsoft:a,1\nsoft:b,ten\n', /card 2: "ten" is not an amount/],
  ['card,pin-policy\nsoft:a,sessions\n', /card 1: this PIN policy needs a PIN/],
  ['card\n"soft:a\n', /is not CSV/],
])('a CSV that cannot be used is refused before a card is touched: %j', async (csv, message) => {
  await writeFile(join(folder, 'cards.csv'), csv);
  const defaults = { currency: 'USD', maxBalance: '500.00', trust: [] };
  expect(await expectRefusal(readBatch(join(folder, 'cards.csv'), defaults), 'INPUT')).toMatch(message);
});
