import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { expectRefusal, IssuerDesk, UNIT } from '../../../support/issuer-desk.ts';
import { makeCardMemory } from '../../../support/issuer-fixture.ts';
import { runTollcast } from '../../../support/tollcast-cli.ts';

let desk: IssuerDesk;
let card: string;

beforeEach(async () => {
  desk = await IssuerDesk.open();
  desk.insertMemory(makeCardMemory());
  card = formatCardId(await desk.makeCard());
  await desk.load(5n * UNIT);
  await desk.setLimit(3n * UNIT);
  await desk.watchAndClose(2);
  await desk.collect();
  desk.channel.fail(INS.LOAD_CREDIT, 'command lost');
  await expectRefusal(desk.load(2n * UNIT), 'CARD_GONE');
});

afterEach(() => desk.close());

/** None of these wants a card or a passphrase. */
async function run(...args: readonly string[]): Promise<string> {
  const { TOLLCAST_PASSPHRASE: _, ...env } = process.env;
  const { code, stdout, stderr } = await runTollcast(['issuer', ...args, '--store', desk.issuer.store], { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

test('the list of cards counts no line of credit as a load', async () => {
  expect(JSON.parse(await run('list', '--json'))).toEqual({
    issuer: '0a1b2c',
    cards: [
      expect.objectContaining({
        card,
        currency: 'USD',
        loaded: 5_000_000,
        loads: 1,
        openOrder: true,
        creditLimit: 3_000_000,
        receipts: 1,
        receiptsAmount: 500_000,
        withdrawn: false,
      }),
    ],
  });
  const text = await run('list');
  expect(text).toContain(`${card}  2026-11-05  loaded 5.00 USD in 1 load, spent 0.50 USD, collected 0.50 USD in 1`);
  expect(text).toContain('credit limit 3.00 USD, an order is open\nissuer 0a1b2c: 1 card\n');
});

test('cards, orders and receipts are exported as CSV and as lines of JSON', async () => {
  const orders: unknown = parse(await run('export', 'orders'), { columns: true });
  const common = { card, currency: 'USD', refund: '0.00', signed: '2026-11-05T00:00:00Z' };
  expect(orders).toEqual([
    { ...common, number: '1', kind: 'load', amount: '5.00', proved: 'true' },
    { ...common, number: '2', kind: 'credit limit', amount: '3.00', proved: 'true' },
    { ...common, number: '3', kind: 'load', amount: '2.00', proved: 'false' },
  ]);
  expect(parse(await run('export', 'receipts'), { columns: true })).toMatchObject([
    { card, number: '1', amount: '0.50', octets: '2000000', reason: 'closed' },
  ]);
  expect(parse(await run('export', 'cards'), { columns: true })).toMatchObject([{ card, loads: '1', loaded: '5.00' }]);
  const lines = (await run('export', 'orders', '--json')).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { number: 1, amount: 5_000_000 },
    { number: 2, amount: 3_000_000 },
    { number: 3, amount: 2_000_000 },
  ]);
});

test('a list of more cards than one page has each of them once', async () => {
  const { accounts } = desk;
  await accounts.transaction(async (inside) => {
    for (let serial = 1; serial <= 1200; serial++) {
      await inside.addCard({ moduleClass: 'card', serial, currency: 840, maximumBalance: UNIT }, 0);
    }
  });
  const ids: string[] = [];
  for await (const { cardId } of accounts.tables.cards()) ids.push(formatCardId(cardId));
  expect(ids).toHaveLength(1201);
  expect(ids).toEqual([...new Set(ids)].toSorted());
});

test('an empty store has an empty list', async () => {
  const other = await IssuerDesk.open();
  try {
    const { stdout } = await runTollcast(['issuer', 'list', '--json', '--store', other.issuer.store]);
    expect(JSON.parse(stdout)).toEqual({ issuer: '0a1b2c', cards: [] });
  } finally {
    await other.close();
    await rm(dirname(other.issuer.store), { recursive: true, force: true });
  }
});
