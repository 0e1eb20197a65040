import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postChanges } from '../../../../host/headend/ledger/ledger-rows.ts';
import { makeChargeEntry, makeReceiptEntry } from '../../../../host/headend/ledger/make-entries.ts';
import { GroupWriter } from '../../../../host/store/group-writer.ts';
import { headendDatabase } from '../../../../host/store/headend/headend-store.ts';
import { runBilling, runHeadend } from '../../../support/headend/billing/billing-commands.ts';
import { type HeadendFixture, readJson, startHeadend } from '../../../support/headend/headend-fixture.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { sourceOf } from '../../../support/streams/test-sender.ts';

const DAY = 86_400_000;
const NOVEMBER = Date.UTC(2026, 10, 30, 23);
const CARD = '0a1b2c-02-00000001';
const USER = 'quayle.a';
/** What nobody may find any more, in small letters. */
const TEXTS = ['quayle', 'annabel', '77 pier road', 'harbour end'];

const clock = new SimulatedClock(NOVEMBER);
let capture: ServiceCapture;
let fixture: HeadendFixture;
let config: string;

beforeAll(async () => {
  capture = await ServiceCapture.start();
  const address = `${capture.address}:${capture.port}`;
  const session = { name: 'main', source: 'memory', format: 'data', rate: 800_000, address };
  const delivery = { price: '9.90 USD/period', period: DAY / 1000, settlement: 'invoice' };
  const service = { number: 7, name: 'Seven', price: { content: { price: 'free' }, delivery }, sessions: [session] };
  const openSource = async () => sourceOf([randomBytes(1000)]);
  const more = { loads: true, invoices: { from: 'us', tax: [{ name: 'VAT', rate: 1900 }] } };
  fixture = await startHeadend([service], { clock, openSource, config: more });
  const { directory, port } = fixture;
  config = join(directory, 'tv.json');
  const places = { listen: `127.0.0.1:${port}`, state: `${directory}/state`, issuer: `${directory}/issuer` };
  await writeFile(config, JSON.stringify({ ...places, services: [] }));
  await makeHistory();
}, 60_000);

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await capture.close();
});

const headend = (...args: string[]) => runHeadend(...args, '--config', config);
const billing = (...args: string[]) => runBilling(...args, '--config', config);
const account = ['--account', `user:${USER}`];

/** A user with all that a user can have: card, subscription, charges, payments, notes, an invoice, a credit note. */
async function makeHistory(): Promise<void> {
  await headend('user', 'put', USER, '--person', 'Annabel Quayle', '--contact', 'annabel.quayle@example.org');
  await headend('user', 'put', USER, '--address', '77 Pier Road\nHarbour End');
  await headend('user', 'join', USER, CARD);
  await headend('user', 'put', 'bo', '--person', 'Bo Example');
  await headend('load', CARD, 'quayle-load', '--amount', '1.00 USD');
  await billing('subscribe', USER, '--service', '7');
  await clock.advance(60_000);
  const writer = new GroupWriter(headendDatabase(join(fixture.directory, 'state')));
  const at = NOVEMBER / 1000 + 60;
  const money = { service: 7, currency: 840, at };
  const charges = [{ payer: `user:${USER}`, amount: 2_500_001n }] as const;
  await writer.commit([
    ...postChanges(makeChargeEntry({ ...money, source: '9', charges })),
    ...postChanges(makeChargeEntry({ ...money, source: '10', charges: [{ payer: 'user:bo', amount: 1_000_000n }] })),
    ...postChanges(makeReceiptEntry({ ...money, source: '0a1b2c0200000001:1', cardId: CARD, amount: 1n, torn: 0n })),
  ]);
  await writer.close();
  await billing('payment', 'QUAYLE-desk-1', ...account, '--amount', '1.00 USD', '--note', 'Annabel paid in person');
  await billing('payment', 'quayle-desk-1', ...account, '--amount', '1.00 USD');
  await billing('refund', 'storm', ...account, '--service', '7', '--amount', '0.50 USD', '--note', 'Ms Quayle rang');
  const [, charge = ''] = /^(\d+),1,.*,charge,/m.exec(await billing('export', ...account)) ?? [];
  await billing('dispute', charge, 'Annabel says that she slept');
  while (clock.now() < Date.UTC(2026, 11, 1)) await clock.advance(600_000);
  await billing('close', '2026-11');
  await billing('invoice', '2026-11');
  const invoices = JSON.parse(await billing('invoices', ...account, '--json')) as { invoices: { number: number }[] };
  const note = ['--service', '7', '--amount', '0.40 USD', '--note', 'for Annabel'];
  await billing('credit', 'quayle-storm', '--invoice', String(invoices.invoices[0]!.number), ...note);
}

/** Files of the head-end's state that have one of the texts. */
async function findTexts(): Promise<string[]> {
  const state = join(fixture.directory, 'state');
  const found: string[] = [];
  for (const name of await readdir(state)) {
    const octets = (await readFile(join(state, name))).toString('latin1').toLowerCase();
    for (const text of TEXTS) if (octets.includes(text)) found.push(`${name}: ${text}`);
  }
  return found;
}

interface Balance {
  readonly account: string;
  readonly debit: string;
  readonly credit: string;
}

async function readMoney() {
  const { balances } = JSON.parse(await billing('report', '--json')) as { balances: Balance[] };
  const { invoices } = JSON.parse(await billing('invoices', '--json')) as {
    invoices: { number: number; account: string; total: string; payable: string; lines: { note: string | null }[] }[];
  };
  return { balances, invoices };
}

describe('what is held about a user', () => {
  test('is exported whole, and nothing of others', async () => {
    const text = await headend('user', 'export', USER);
    const data = JSON.parse(text) as Record<string, Record<string, unknown>[]>;
    expect(data['person']).toMatchObject([{ person: 'Annabel Quayle', address: '77 Pier Road\nHarbour End' }]);
    expect(data['cards']).toMatchObject([{ cardId: '0a1b2c0200000001' }]);
    expect(data['subscriptions']).toMatchObject([{ service: 7, price: '9900000' }]);
    expect(data['credits']).toMatchObject([{ name: 'quayle-load', amount: '1000000' }]);
    expect(data['entries']!.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['charge', 'receipt', 'payment', 'refund', 'period-fee']),
    );
    expect(data['invoices']).toHaveLength(2);
    expect(data['disputes']).toMatchObject([{ reason: 'Annabel says that she slept', ruling: null }]);
    expect(data['changes']!.length).toBeGreaterThan(3);
    expect(text).not.toContain('user:bo');
    expect(text).not.toContain('Bo Example');
    await headend('user', 'put', 'bobby', '--person', 'Bobby Example');
    expect(await headend('user', 'export', 'bo')).not.toContain('obby');
  });

  test('is asked for by an operator alone, and that is in the log of changes', async () => {
    for (const [method, path] of [
      ['GET', `/v1/operator/users/${USER}/data`],
      ['DELETE', `/v1/operator/users/${USER}`],
    ] as const) {
      expect((await fixture.ask(method, path)).status).toBe(401);
    }
    const { changes } = readJson(await fixture.askOperator('GET', '/v1/operator/changes')) as {
      changes: { action: string }[];
    };
    const exports = changes.filter(({ action }) => action === 'export user');
    expect(exports).toMatchObject([{ subject: 'user bo' }, { subject: `user ${USER}` }]);
    expect((await fixture.askOperator('GET', `/v1/operator/users/${USER}/data?after=x:0`)).status).toBe(422);
  });

  test('is erased when all is settled, confirmed, and the invoices are kept elsewhere', async () => {
    await expect(headend('user', 'erase', USER)).rejects.toMatchObject({ code: 'NOT_CONFIRMED' });
    await expect(headend('user', 'erase', USER, '--yes')).rejects.toThrow('has a subscription of service 7');
    await billing('unsubscribe', USER, '--service', '7');
    await expect(headend('user', 'erase', USER, '--yes')).rejects.toThrow('has an open dispute (1); rule it first');
    await billing('reject', '1', '--note', 'Ms Quayle was seen');
    await expect(headend('user', 'erase', USER, '--yes')).rejects.toThrow('owes 9.500001 USD; settle it first');
    await billing('payment', 'quayle-desk-2', ...account, '--amount', '9.500001 USD');
    await expect(headend('user', 'erase', USER, '--yes')).rejects.toThrow('which the law may make you keep');
  });

  test('is nowhere in the database and its log any more; sums, entries and invoices stay as they were', async () => {
    expect(await findTexts()).toContain('headend.sqlite-wal: quayle');
    const before = await readMoney();
    const said = await headend('user', 'erase', USER, '--archived', '--yes');
    const [pseudonym = ''] = /erased-[0-9a-f]{12}/.exec(said) ?? [];
    expect(said).not.toContain('until the next start');
    expect(await findTexts()).toEqual([]);
    const after = await readMoney();
    const renamed = (name: string) => (name === `user:${USER}` ? `user:${pseudonym}` : name);
    const byName = (a: Balance, b: Balance) => (a.account < b.account ? -1 : 1);
    expect(after.balances.toSorted(byName)).toEqual(
      before.balances.map((one) => ({ ...one, account: renamed(one.account) })).toSorted(byName),
    );
    const erased = (note: string | null) => (note === null ? null : 'erased');
    const isOthers = (name: string) => name !== `user:${USER}`;
    expect(after.invoices).toEqual(
      before.invoices.map(({ account: name, lines, ...invoice }) => ({
        ...invoice,
        account: renamed(name),
        lines: isOthers(name) ? lines : lines.map((line) => ({ ...line, note: erased(line.note) })),
      })),
    );
    expect(after.invoices.filter((invoice) => invoice.account === `user:${pseudonym}`)).toHaveLength(2);
    expect(await billing('invoice', '2026-11')).toBe('0 invoices of 2026-11 were issued\n');
    const entries = (await billing('export', '--account', `user:${pseudonym}`)).trim().split('\n').slice(1);
    expect(entries.length).toBeGreaterThan(5);
    expect(entries.join('\n')).toMatch(/,refund,credit-note \d+ erased-\S+\.\d+,/);
    for (const entry of entries) expect(await billing('explain', entry.split(',')[0]!)).toContain(`user:${pseudonym}`);
    expect(JSON.parse(await headend('user', 'list', CARD))).toMatchObject({ cards: [{ card: CARD }] });
    expect(JSON.parse(await headend('user', 'list', 'bo'))).toMatchObject({ person: 'Bo Example' });
    await expect(headend('user', 'join', pseudonym, CARD)).rejects.toThrow('stands for a user that was erased');
    await fixture.restart();
    expect(await findTexts()).toEqual([]);
    expect((await readMoney()).balances).toEqual(after.balances);
  });

  test('a user that is its card keeps that name, and nothing else', async () => {
    await headend('user', 'put', CARD, '--person', 'Annabel Quayle', '--contact', 'quayle@example.org');
    expect(await findTexts()).not.toEqual([]);
    expect(await headend('user', 'erase', CARD, '--yes')).toContain(`under ${CARD}\n`);
    expect(await findTexts()).toEqual([]);
    expect(JSON.parse(await headend('user', 'list', CARD))).toMatchObject({ person: null, cards: [{ card: CARD }] });
  });

  test('the database still refuses any other change, also in the name of an erasure', () => {
    const database = new DatabaseSync(headendDatabase(join(fixture.directory, 'state')));
    database.exec("begin; insert into erasing (user, pseudonym) values ('bo', 'erased-1')");
    for (const statement of [
      "update ledger_posting set debit = 'user:erased-1', amount = amount + 1 where debit = 'user:bo'",
      "update ledger_posting set debit = 'user:erased-1' where debit <> 'user:bo'",
      "update ledger_posting set debit = 'cash' where debit = 'user:bo'",
      'update ledger_entry set at = at + 1',
      "update invoice set account = 'user:erased-1', document = json_set(document, '$.total', '0.00 USD')",
      'update invoice set payable = payable + 1',
      'delete from ledger_posting',
      "update dispute set reason = 'another'",
      "update dispute_ruling set ruling_note = 'erased', ruling = 'upheld'",
    ]) {
      expect(() => database.exec(statement)).toThrow(/stays/);
    }
    database.exec("update ledger_posting set debit = 'user:erased-1' where debit = 'user:bo'; rollback");
    expect(() => database.exec("update ledger_posting set debit = 'user:erased-1' where debit = 'user:bo'")).toThrow();
    database.close();
  });
});
