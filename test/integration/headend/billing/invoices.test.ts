import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { parseProblem } from '../../../../host/contract/answers/problem.ts';
import { BILL_HASH, BILL_REQUEST } from '../../../../host/contract/bill/bill-request.ts';
import { parseUserBill } from '../../../../host/contract/bill/user-bill.ts';
import { type HeadendFixture, readJson, startHeadend } from '../../../support/headend/headend-fixture.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { SoftViewer } from '../../../support/headend/soft-viewer.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { sourceOf } from '../../../support/streams/test-sender.ts';
import { runTollcast } from '../../../support/tollcast-cli.ts';

/** 25,000,000 octets of content from the card come to $6.25, half an hour of delivery by invoice to $2.50. */
const PRICE = {
  content: { price: '0.25 USD/MB' },
  delivery: { price: '5.00 USD/h', settlement: 'invoice' },
};
const OCTETS = 25_000_000;
const START = Date.UTC(2026, 10, 30, 23);

let clock: SimulatedClock;
let capture: ServiceCapture;
let viewer: SoftViewer;
let fixture: HeadendFixture;
let config: string;
/** The card, as accounts of the ledger name it. */
let card: string;

beforeAll(async () => {
  clock = new SimulatedClock(START);
  capture = await ServiceCapture.start();
  viewer = await SoftViewer.start(1, 100_000_000n);
  card = formatCardId(viewer.cardId);
  const session = {
    name: 'main',
    source: 'memory',
    format: 'data',
    rate: 20_000_000,
    address: `${capture.address}:${capture.port}`,
    profile: { every: 200, closingTime: 1000 },
  };
  const service = { number: 7, name: 'Harbour', price: PRICE, sessions: [session] };
  const openSource = async () => sourceOf([randomBytes(OCTETS)]);
  fixture = await startHeadend([service], { clock, openSource });
  const { directory } = fixture;
  config = join(directory, 'tv.json');
  const places = { listen: `127.0.0.1:${fixture.port}`, state: `${directory}/state`, issuer: `${directory}/issuer` };
  await writeFile(config, JSON.stringify({ ...places, services: [] }));
  while (!fixture.log.some(({ msg }) => msg === 'a stream begins')) await turn();
  await watch();
}, 60_000);

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await viewer.close();
  await capture.close();
});

async function watch(): Promise<void> {
  const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string }[] };
  const from = START / 1000;
  const wish = { service: 7, offer: offers[0]!.id, from, to: from + 1800 };
  expect(await viewer.request(fixture, 'join', wish)).toMatchObject({ outcome: 'joined' });
  await clock.advance(20_000);
  await clock.advanceUntil(fixture.headend.ended());
  await turn();
  await viewer.follow(capture, 7);
  await viewer.settle();
  expect(await viewer.deliver(fixture)).toBe(1);
  while ((await readEntries()).length < 2) await clock.advance(60_000);
  while (clock.now() < Date.UTC(2026, 11, 1)) await clock.advance(60_000);
}

async function readEntries(): Promise<{ id: number; lines: { amount: string }[] }[]> {
  const answer = await fixture.askOperator('GET', '/v1/operator/billing/entries');
  return (readJson(answer) as { entries: { id: number; lines: { amount: string }[] }[] }).entries;
}

async function billing(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runTollcast(['billing', ...args, '--config', config]);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

describe('$6.25 by purse and $2.50 by invoice', () => {
  test('are the same on the card, in the ledger and on the invoice, and neither is charged twice', async () => {
    const { loaded, balance } = await viewer.purse();
    expect(loaded - balance).toBe(6_250_000n);
    const amounts = (await readEntries()).flatMap(({ lines }) => lines.map(({ amount }) => amount));
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
        { kind: 'charge', amount: '2.50 USD' },
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
