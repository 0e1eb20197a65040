import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeBill } from '../../../../host/headend/charging/bill.ts';
import { openEntry } from '../../../../host/headend/charging/charging-entry.ts';
import { StoreBilling } from '../../../../host/headend/charging/store-billing.ts';
import { startOfPeriod } from '../../../../host/headend/ledger/ledger-period.ts';
import {
  makeChargeEntry,
  makeCorrectionEntry,
  makePaymentEntry,
  makeReceiptEntry,
} from '../../../../host/headend/ledger/make-entries.ts';
import { readBalances } from '../../../../host/headend/ledger/read-ledger.ts';
import { currencyByCode } from '../../../../host/money/currency.ts';
import { headendDatabase } from '../../../../host/store/headend/headend-store.ts';
import { BillingFixture, DECEMBER } from '../../../support/headend/billing/billing-fixture.ts';

const NOVEMBER = startOfPeriod('2026-11');
const USD = currencyByCode('USD');
const CARDS = ['0a1b2c-02-00000001', '0a1b2c-02-00000002'] as const;

let billing: BillingFixture;

beforeEach(async () => {
  billing = await BillingFixture.open([{ name: 'VAT', rate: 1900 }]);
});

afterEach(async () => {
  await billing.close();
});

const charge = (source: string, user: string, amount: bigint, at = NOVEMBER) =>
  makeChargeEntry({ source, at, service: 7, currency: USD.number, charges: [{ payer: `user:${user}`, amount }] });
const receipt = (source: string, cardId: string, amount: bigint) =>
  makeReceiptEntry({ source, at: NOVEMBER, cardId, service: 7, currency: USD.number, amount, torn: 0n });
const listAll = () => billing.invoices.list({ limit: 100 });

async function issueNovember(): Promise<number> {
  await billing.closeMonth('2026-11');
  return billing.invoices.issue('2026-11');
}

describe('the invoices of a month', () => {
  test('are issued once it is closed, numbered without gaps, and once to each', async () => {
    await billing.post(charge('1', 'ann', 2_500_000n), charge('2', 'bo', 1_000_000n), charge('3', 'ann', 1n));
    await expect(billing.invoices.issue('2026-11')).rejects.toThrow('2026-11 is not closed');
    expect(await issueNovember()).toBe(2);
    expect(await billing.invoices.issue('2026-11')).toBe(0);
    await billing.post(charge('4', 'cy', 5_000_000n, DECEMBER));
    await billing.closeMonth('2026-12');
    expect(await billing.invoices.issue('2026-12')).toBe(1);
    const invoices = await listAll();
    expect(invoices.map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(invoices.map(({ document }) => document.payable)).toEqual(['2.50 USD', '1.00 USD', '5.00 USD']);
    expect(invoices[0]!.document.lines.map(({ entry, amount }) => [entry, amount])).toEqual([
      [1, '2.50 USD'],
      [3, '0.000001 USD'],
    ]);
  });

  test('have what several cards of a user paid, and what it was charged, neither of them twice', async () => {
    await billing.store
      .insertInto('cardUser')
      .values(CARDS.map((card) => ({ cardId: card.replaceAll('-', ''), since: 0, until: null, user: 'ann' })))
      .execute();
    await billing.post(
      charge('1', 'ann', 2_500_000n),
      receipt('0a1b2c0200000001:1', CARDS[0], 6_250_000n),
      receipt('0a1b2c0200000002:1', CARDS[1], 1_000_000n),
    );
    expect(await issueNovember()).toBe(1);
    const [invoice] = await listAll();
    expect(invoice!.document).toMatchObject({
      account: 'user:ann',
      total: '9.75 USD',
      paidByCard: '7.25 USD',
      payable: '2.50 USD',
    });
    expect(invoice!.document.lines.map(({ card }) => card)).toEqual([null, ...CARDS]);
  });

  test('have what a card paid on the invoice of who used it then', async () => {
    const cardId = CARDS[0].replaceAll('-', '');
    await billing.store
      .insertInto('cardUser')
      .values([
        { cardId, since: NOVEMBER + 100, until: NOVEMBER + 200, user: 'ann' },
        { cardId, since: NOVEMBER + 200, until: null, user: 'bo' },
      ])
      .execute();
    const times = [0, 99, 100, 199, 200, 300];
    await billing.post(
      ...times.map((at, i) => ({ ...receipt(`${cardId}:${i}`, CARDS[0], 1_000_000n), at: NOVEMBER + at })),
    );
    expect(await issueNovember()).toBe(3);
    expect(
      (await listAll()).map(({ document }) => [document.account, document.lines.map(({ at }) => at - NOVEMBER)]),
    ).toEqual([
      [`user:${CARDS[0]}`, [0, 99]],
      ['user:ann', [100, 199]],
      ['user:bo', [200, 300]],
    ]);
  });

  test('take back what was corrected, and know no payments', async () => {
    const wrong = charge('1', 'ann', 2_500_000n);
    await billing.post(wrong, charge('2', 'ann', 1_000_000n));
    await billing.post(makeCorrectionEntry(1, wrong.lines, { at: NOVEMBER, note: 'a black picture' }));
    const paid = { source: 'desk', at: NOVEMBER, payer: 'user:ann', currency: USD.number, amount: 500_000n } as const;
    await billing.post(makePaymentEntry(paid));
    await issueNovember();
    expect((await listAll())[0]!.document).toMatchObject({
      payable: '1.00 USD',
      lines: [{ amount: '2.50 USD' }, { amount: '1.00 USD' }, { amount: '-2.50 USD', note: 'a black picture' }],
    });
  });

  test('have their taxes in the ledger, taken from what was earned', async () => {
    await billing.post(charge('1', 'ann', 119_000_000n));
    await issueNovember();
    await issueNovember();
    expect(await readBalances(billing.store)).toEqual([
      { account: 'revenue:7', currency: USD.number, amount: -100_000_000n },
      { account: 'tax:VAT', currency: USD.number, amount: -19_000_000n },
      { account: 'user:ann', currency: USD.number, amount: 119_000_000n },
    ]);
  });

  test.each([
    "update invoice set document = ''",
    'delete from invoice',
    "insert into invoice values (5, 'x', 'user:a', '2026-11', 840, 0, null, 0, 0, '')",
  ])('stay, and have no gap; the database itself refuses: %s', async (statement) => {
    await billing.post(charge('1', 'ann', 2_500_000n));
    await issueNovember();
    const database = new DatabaseSync(headendDatabase(billing.directory));
    expect(() => database.exec(statement)).toThrow();
    database.close();
    expect(await listAll()).toHaveLength(1);
  });
});

describe('a credit note', () => {
  const note = { name: 'storm', service: 7, currency: USD, note: 'a black picture' };

  test('takes something back, with its tax, once; the invoice stays', async () => {
    await billing.post(charge('1', 'ann', 119_000_000n));
    await issueNovember();
    const before = await billing.invoices.find(1);
    const issued = await billing.invoices.credit(1, { ...note, amount: 11_900_000n });
    expect(await billing.invoices.credit(1, { ...note, amount: 11_900_000n })).toEqual(issued);
    expect(issued).toMatchObject({ number: 2, corrects: 1, document: { payable: '-11.90 USD' } });
    expect(issued.document.taxes).toMatchObject([{ amount: '-1.90 USD' }]);
    expect(await billing.invoices.find(1)).toEqual(before);
    const balances = await readBalances(billing.store);
    expect(balances.map(({ account, amount }) => [account, amount])).toEqual([
      ['refunds:7', 10_000_000n],
      ['revenue:7', -100_000_000n],
      ['tax:VAT', -17_100_000n],
      ['user:ann', 107_100_000n],
    ]);
  });

  test('takes back no more than the invoice has, and another amount under its name is refused', async () => {
    await billing.post(charge('1', 'ann', 2_500_000n));
    await issueNovember();
    await billing.invoices.credit(1, { ...note, amount: 2_000_000n });
    await expect(billing.invoices.credit(1, { ...note, amount: 1n })).rejects.toThrow('choose another name');
    const more = billing.invoices.credit(1, { ...note, name: 'more', amount: 500_001n });
    await expect(more).rejects.toThrow('invoice 1 has 0.50 USD of service 7; take back no more');
    await expect(billing.invoices.credit(9, { ...note, amount: 1n })).rejects.toThrow('there is no invoice 9');
    await expect(billing.invoices.credit(2, { ...note, amount: 1n })).rejects.toThrow('2 is a credit note');
  });

  test('is on no later invoice', async () => {
    await billing.post(charge('1', 'ann', 2_500_000n));
    await issueNovember();
    await billing.invoices.credit(1, { ...note, amount: 2_000_000n });
    await billing.post(charge('2', 'ann', 3_000_000n, DECEMBER));
    await billing.closeMonth('2026-12');
    await billing.invoices.issue('2026-12');
    expect((await billing.invoices.find(3)).document).toMatchObject({ payable: '3.00 USD' });
  });
});

test('a bill is listed by its components, each with its own price', async () => {
  const port = new StoreBilling(billing.writer);
  const components = [
    { part: 'content', payer: 'user', tariff: { kind: 'duration', price: 5_000_000n }, settlement: 'invoice' },
    { part: 'delivery', payer: 'user', tariff: { kind: 'octets', price: 250_000n }, settlement: 'invoice' },
  ] as const;
  const charges = { terms: components, currency: USD };
  const opened = { id: 1, user: 'ann', session: 'tollcast 1 192.0.2.1', service: 7, charges };
  await port.forward(makeBill(openEntry(opened, { from: NOVEMBER, to: NOVEMBER + 1800 }), 25_000_000n), true);
  await issueNovember();
  expect((await listAll())[0]!.document).toMatchObject({
    payable: '8.75 USD',
    lines: [
      { amount: '2.50 USD', price: '5.00 USD/h' },
      { amount: '6.25 USD', price: '0.25 USD/MB' },
    ],
  });
});
