import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TollcastError } from '../../../../apdu/errors.ts';
import { runBilling } from '../../../support/headend/billing/billing-commands.ts';
import { WatchedHalfHour } from '../../../support/headend/billing/watched-half-hour.ts';
import { type HeadendFixture, readJson } from '../../../support/headend/headend-fixture.ts';
import type { SoftViewer } from '../../../support/headend/soft-viewer.ts';
import type { SimulatedClock } from '../../../support/simulated-clock.ts';
import { runTollcast } from '../../../support/tollcast-cli.ts';

/** Half an hour of delivery comes to $2.50 by invoice, 1,000,000 octets of content to $0.25 from the card. */
const WATCHED = { start: Date.UTC(2026, 11, 31, 23), octets: 1_000_000, rate: 800_000, every: 50 };

let watched: WatchedHalfHour;
let clock: SimulatedClock;
let viewer: SoftViewer;
let fixture: HeadendFixture;
let config: string;
let card: string;

beforeAll(async () => {
  watched = await WatchedHalfHour.watch(WATCHED);
  ({ clock, viewer, fixture, config, card } = watched);
}, 60_000);

afterAll(() => watched[Symbol.asyncDispose]());

function billing(...args: string[]): Promise<string> {
  return runBilling(...args, '--config', config);
}

async function refusal(...args: string[]): Promise<string> {
  const error = await billing(...args).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TollcastError);
  return String(Reflect.get(Object(error), 'message'));
}

describe('content by purse and delivery by invoice', () => {
  test('each stands in the ledger once, and the card agrees', async () => {
    const lines = [`card:${card}  debit  0.25 USD`, 'revenue:7', `user:${card}  debit  2.50 USD`];
    const report = await billing('report');
    expect(report.split('\n')).toEqual([
      lines[0],
      expect.stringMatching(/^revenue:7 +credit 2\.75 USD$/),
      lines[2],
      '',
    ]);
    const { loaded, balance } = await viewer.purse();
    expect(loaded - balance).toBe(250_000n);
  });

  test('any entry is followed to its source', async () => {
    const texts: string[] = [];
    for (const { id } of await watched.readEntries()) texts.push(await billing('explain', String(id)));
    const charge = texts.find((text) => text.includes('charge'))!;
    expect(charge).toContain(`  2.50 USD from revenue:7 to user:${card}`);
    expect(charge).toContain('  content: 0.25 USD by purse, of the user\n  delivery: 2.50 USD by invoice, of the user');
    expect(charge).toContain('1800 s from 2026-12-31T23:00:00Z to 2026-12-31T23:30:00Z');
    expect(charge).toMatch(new RegExp(`request \\d+: 2026-12-31T23:00:00Z, card ${card}: join, joined`));
    const receipt = texts.find((text) => text.includes('receipt'))!;
    expect(receipt).toContain(`  0.25 USD from revenue:7 to card:${card}`);
    expect(receipt).toContain(`receipt 1 of card ${card}: 0.25 USD for 1000000 octets of service 7, torn 0.00 USD`);
  });

  test('one that is not there is said to be so', async () => {
    const { code, stdout, stderr } = await runTollcast(['billing', 'explain', '99', '--config', config]);
    expect([stdout, stderr]).toEqual(['', 'tollcast: the ledger has no entry 99; list entries to find its number\n']);
    expect(code).not.toBe(0);
  });

  test('the export is CSV with one row a line, and all rows of an account sum up', async () => {
    const rows = parse<Record<string, string>>(await billing('export', '--account', 'revenue:7'), { columns: true });
    expect(rows.map(({ event, amount, currency }) => `${event} ${amount} ${currency}`).toSorted()).toEqual([
      'charge 2.50 USD',
      'receipt 0.25 USD',
    ]);
  });
});

describe('what operators enter', () => {
  test('a payment settles what is owed; the same again changes nothing, and another of its name is refused', async () => {
    const payment = ['payment', 'desk-1', '--account', `user:${card}`, '--amount'];
    const first = await billing(...payment, '2.00 USD');
    expect(first).toMatch(/^entry \d+: payment desk-1, /);
    expect(await billing(...payment, '2.00 USD')).toBe(first);
    expect(await refusal(...payment, '3.00 USD')).toContain('choose another name, or correct that entry');
    expect(await billing('report', '--account', `user:${card}`)).toContain('debit  0.50 USD');
  });

  test('a refund, a write-off and a settlement', async () => {
    const account = ['--account', `user:${card}`];
    await billing('refund', 'storm', ...account, '--service', '7', '--amount', '0.30 USD', '--note', 'a black picture');
    await billing('write-off', 'rest', ...account, '--amount', '0.20 USD');
    await billing('settlement', 'december', '--operator', 'network', '--service', '7', '--amount', '1.00 USD');
    const report = await billing('report');
    expect(report).toContain(`user:${card}`);
    for (const line of [
      /operator:network +credit 1\.00 USD/,
      /refunds:7 +debit {2}0\.30 USD/,
      /revenue:7 +credit 1\.75 USD/,
      /writeoffs +debit {2}0\.20 USD/,
      /user:\S+ +settled/,
    ]) {
      expect(report).toMatch(line);
    }
  });

  test('a correction takes an entry back, and both are shown', async () => {
    const wrong = (await watched.readEntries()).find(({ kind }) => kind === 'write-off')!;
    await billing('correct', String(wrong.id), '--note', 'it was paid');
    const text = await billing('explain', String(wrong.id));
    expect(text).toContain('taken back by');
    expect(text).toContain('it was paid');
    expect(await billing('report')).toMatch(/writeoffs +settled/);
  });

  test('a month is closed when it is over, and what comes then is in the next one', async () => {
    while (clock.now() < Date.UTC(2027, 0, 1)) await clock.advance(60_000);
    expect(await refusal('close', '2027-01')).toContain('2027-01 is not over');
    await billing('close', '2026-12');
    expect(await billing('report')).toContain('closed up to 2026-12');
    const late = await billing('payment', 'late', '--account', `user:${card}`, '--amount', '0.01 USD');
    expect(late).toContain(' in 2027-01');
  });

  test('an entry is disputed, and ruled; both are shown wherever the entry is', async () => {
    const entries = await watched.readEntries();
    const charge = entries.find(({ kind }) => kind === 'charge')!.id;
    const receipt = entries.find(({ kind }) => kind === 'receipt')!.id;
    const opened = await billing('dispute', String(charge), '=a black picture');
    expect(opened).toMatch(/^dispute 1 of entry \d+, open; opened \S+ by operator: =a black picture\n$/);
    await billing('dispute', String(receipt), 'I was asleep');
    expect(await billing('report')).toContain('2 open disputes\n');
    expect(await billing('explain', String(charge))).toContain(opened);
    const reconciled = await billing('reconcile');
    expect(reconciled).toContain(`disputed: entry ${receipt}, dispute 2: I was asleep\n`);
    const [disputed] = parse<Record<string, string>>(await billing('reconcile', '--csv'), { columns: true });
    expect(disputed).toMatchObject({ kind: 'disputed', why: `entry ${charge}, dispute 1: =a black picture` });
    await billing('reject', '2', '--note', 'the card was not');
    const upheld = await billing('uphold', '1', '--amount', '1.00 USD', '--note', 'the sender was down');
    expect(upheld).toMatch(/^ {2}upheld \S+ by operator, by entry \d+: the sender was down$/m);
    expect(await refusal('reject', '1', '--note', 'it was not')).toContain('dispute 1 was upheld');
    const given = (await watched.readEntries()).at(-1)!;
    expect(await billing('explain', String(given.id))).toContain(`gives back what was disputed\n${upheld}`);
    expect(given.lines).toEqual([{ debit: 'refunds:7', credit: `user:${card}`, amount: '1.00 USD' }]);
    expect(await billing('report')).not.toContain('dispute');
    expect(await billing('disputes', '--open')).toBe('nothing is disputed\n');
    expect((await billing('disputes')).match(/^dispute/gm)).toHaveLength(2);
    const rows = parse<Record<string, string>>(await billing('export'), { columns: true });
    const stateOf = (entry: number) => rows.find((row) => row['entry'] === String(entry))?.['dispute'];
    expect([stateOf(charge), stateOf(receipt), stateOf(given.id)]).toEqual(['upheld', 'rejected', '']);
  });

  test('every change has its operator in the log', async () => {
    const { changes } = readJson(await fixture.askOperator('GET', '/v1/operator/changes')) as {
      changes: { operator: string; action: string; subject: string }[];
    };
    expect(changes.map(({ action }) => action)).toEqual(
      expect.arrayContaining([
        'enter payment',
        'enter refund',
        'enter write-off',
        'enter settlement',
        'correct',
        'close',
        'dispute',
        'uphold',
        'reject',
      ]),
    );
  });

  test.each([
    ['an account that owes nothing', 'payments/x', { account: 'cash', amount: '1.00 USD' }, 'cash owes nothing'],
    ['no account', 'payments/x', { account: 'bank', amount: '1.00 USD' }, 'is not an account of the ledger'],
    ['no amount', 'payments/x', { account: 'user:a', amount: 'much' }, 'is not an amount'],
    ['nothing', 'payments/x', { account: 'user:a', amount: '0 USD' }, 'an amount of 0 is nothing'],
    ['no month', 'periods/december/close', undefined, 'is not a month'],
  ])('%s is refused with what to write', async (_, path, body, reason) => {
    const { status, body: answer } = await fixture.askOperator('PUT', `/v1/operator/billing/${path}`, body);
    expect([status, Buffer.from(answer).toString()]).toEqual([422, expect.stringContaining(reason)]);
  });

  test('nobody but an operator sees or enters anything', async () => {
    for (const path of ['entries', 'balances', 'entries/1', 'disputes']) {
      expect((await fixture.ask('GET', `/v1/operator/billing/${path}`)).status).toBe(401);
    }
    expect((await fixture.ask('PUT', '/v1/operator/billing/payments/x')).status).toBe(401);
  });
});
