import { randomBytes } from 'node:crypto';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseProblem } from '../../../../host/contract/answers/problem.ts';
import { BILL_HASH, BILL_REQUEST } from '../../../../host/contract/bill/bill-request.ts';
import { parseUserBill } from '../../../../host/contract/bill/user-bill.ts';
import { runBilling } from '../../../support/headend/billing/billing-commands.ts';
import { WatchedHalfHour } from '../../../support/headend/billing/watched-half-hour.ts';
import type { HeadendFixture } from '../../../support/headend/headend-fixture.ts';
import type { SoftViewer } from '../../../support/headend/soft-viewer.ts';
import type { SimulatedClock } from '../../../support/simulated-clock.ts';

/** 25,000,000 octets of content from the card come to $6.25, half an hour of delivery by invoice to $2.50. */
const WATCHED = { start: Date.UTC(2026, 10, 30, 23), octets: 25_000_000, rate: 20_000_000, every: 200 };

let watched: WatchedHalfHour;
let clock: SimulatedClock;
let viewer: SoftViewer;
let fixture: HeadendFixture;
let config: string;
let card: string;

beforeAll(async () => {
  watched = await WatchedHalfHour.watch(WATCHED);
  ({ clock, viewer, fixture, config, card } = watched);
  while (clock.now() < Date.UTC(2026, 11, 1)) await clock.advance(60_000);
}, 60_000);

afterAll(() => watched[Symbol.asyncDispose]());

function billing(...args: string[]): Promise<string> {
  return runBilling(...args, '--config', config);
}

describe('$6.25 by purse and $2.50 by invoice', () => {
  test('are the same on the card, in the ledger and on the invoice, and neither is charged twice', async () => {
    const { loaded, balance } = await viewer.purse();
    expect(loaded - balance).toBe(6_250_000n);
    const amounts = (await watched.readEntries()).flatMap(({ lines }) => lines.map(({ amount }) => amount));
    expect(amounts.toSorted()).toEqual(['2.50 USD', '6.25 USD']);
    await billing('close', '2026-11');
    expect(await billing('invoice', '2026-11')).toBe('1 invoices of 2026-11 were issued\n');
    expect(await billing('invoice', '2026-11')).toBe('0 invoices of 2026-11 were issued\n');
    const shown = await billing('show', '1');
    expect(shown).toContain(`Invoice 1: user:${card}, 2026-11, to be paid 2.50 USD`);
    expect(shown).toContain('total 8.75 USD, of it paid by card 6.25 USD');
    expect(shown).toContain('2026-11-30 23:00:00 to 2026-11-30 23:30:00, 5.00 USD/h');
    expect(shown).toContain('25000000 octets');
    expect(shown).toContain(`paid by card ${card}`);
    expect(await billing('invoices')).toBe(`Invoice 1: user:${card}, 2026-11, to be paid 2.50 USD\n`);
  });

  test('each line is followed to its source by its entry', async () => {
    const { lines } = JSON.parse(await billing('show', '1', '--json')) as {
      lines: { entry: number; amount: string }[];
    };
    for (const { entry, amount } of lines) expect(await billing('explain', String(entry))).toContain(amount);
  });

  test('a spreadsheet reads the lines as CSV', async () => {
    const rows = parse<Record<string, string>>(await billing('invoices', '--csv'), { columns: true });
    expect(
      rows.map(({ invoice, event, amount, currency, service }) => [invoice, event, amount, currency, service]),
    ).toEqual(
      expect.arrayContaining([
        ['1', 'charge', '2.50', 'USD', '7'],
        ['1', 'receipt', '6.25', 'USD', '7'],
      ]),
    );
  });

  test('the page has the name of the service', async () => {
    const page = await billing('show', '1', '--html');
    expect(page).toContain('<title>Invoice 1</title>');
    expect(page).toContain('Harbour (7)');
  });

  test('a line that is disputed is marked wherever the invoice is shown, which stays as it was issued', async () => {
    const entry = (await watched.readEntries()).find(({ kind }) => kind === 'charge')!.id;
    await fixture.askOperator('PUT', `/v1/operator/billing/entries/${entry}/dispute`, { reason: 'a black picture' });
    expect(await billing('show', '1')).toContain('5.00 USD/h\n    disputed\n');
    expect(await billing('show', '1', '--html')).toContain('5.00 USD/h</small><small>disputed</small>');
    const rows = parse<Record<string, string>>(await billing('show', '1', '--csv'), { columns: true });
    expect(rows.map(({ event, dispute }) => [event, dispute])).toEqual(
      expect.arrayContaining([
        ['charge', 'open'],
        ['receipt', ''],
      ]),
    );
  });

  test('a credit note gives something back, and is a number on its own in a spreadsheet', async () => {
    const credit = ['credit', 'storm', '--invoice', '1', '--service', '7', '--note', '=a black picture', '--amount'];
    expect(await billing(...credit, '0.50 USD')).toContain('Credit note 2 for invoice 1');
    const [row] = parse<Record<string, string>>(await billing('show', '2', '--csv'), { columns: true });
    expect(row).toMatchObject({ amount: '-0.50', note: "'=a black picture", corrects: '1' });
    expect(await billing('report', '--account', `user:${card}`)).toContain('debit  2.00 USD');
  });

  test('nobody but an operator sees or issues them', async () => {
    for (const path of ['invoices', 'invoices/1', 'invoices/1/page']) {
      expect((await fixture.ask('GET', `/v1/operator/billing/${path}`)).status).toBe(401);
    }
    expect((await fixture.ask('PUT', '/v1/operator/billing/periods/2026-11/invoices')).status).toBe(401);
  });
});

describe('what a user owes', () => {
  const headers = { 'content-type': 'application/octet-stream' };
  const ask = (octets: Uint8Array, path = '/v1/bill') => fixture.ask('POST', path, { body: octets, headers });
  const sign = (from = Math.floor(clock.now() / 1000), sessionHash = BILL_HASH) =>
    viewer.module.signRequest(BILL_REQUEST, { service: 0, from, to: 0, requestId: randomBytes(8), sessionHash });

  test('is told to its card, to the cent of the ledger', async () => {
    const { status, body } = await ask(await sign());
    expect(status).toBe(200);
    expect(parseUserBill(body)).toMatchObject({
      user: card,
      owed: ['2.00 USD'],
      lines: [
        { kind: 'refund', amount: '-0.50 USD' },
        { kind: 'charge', amount: '2.50 USD', dispute: 'open' },
      ],
    });
  });

  test('is told to nobody else', async () => {
    const forged = await sign();
    forged[20]! ^= 1;
    for (const [octets, code] of [
      [forged, 'wrong-signature'],
      [await sign(1000), 'skewed'],
      [await sign(undefined, new Uint8Array(20)), 'unknown-offer'],
      [new Uint8Array(5), 'malformed'],
    ] as const) {
      expect(parseProblem((await ask(octets)).body).code).toBe(code);
    }
  });

  test('is not asked by what keeps somebody joined, nor the other way round', async () => {
    expect(parseProblem((await ask(await sign(), '/v1/requests')).body).code).toBe('unknown-offer');
  });
});
