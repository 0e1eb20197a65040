import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LedgerAccount, parseLedgerAccount } from '../../../../host/headend/ledger/ledger-account.ts';
import type { LedgerEntry } from '../../../../host/headend/ledger/ledger-entry.ts';
import { nextPeriod, parsePeriod, periodOf, startOfPeriod } from '../../../../host/headend/ledger/ledger-period.ts';
import { closeChange, postChanges } from '../../../../host/headend/ledger/ledger-rows.ts';
import {
  makeChargeEntry,
  makeCorrectionEntry,
  makeLoadEntry,
  makeMoveEntry,
  makePaymentEntry,
  makePeriodFeeEntry,
  makeReceiptEntry,
  makeRefundEntry,
  makeSettlementEntry,
  makeWriteOffEntry,
} from '../../../../host/headend/ledger/make-entries.ts';
import { readBalances, readEntries, readLastClosed } from '../../../../host/headend/ledger/read-ledger.ts';
import type { GroupWriter } from '../../../../host/store/group-writer.ts';
import { headendDatabase, type HeadendStore } from '../../../../host/store/headend/headend-store.ts';
import { BillingFixture, DECEMBER } from '../../../support/headend/billing/billing-fixture.ts';

const USD = 840;
const NOVEMBER = startOfPeriod('2026-11');

let ledger: BillingFixture;
let directory: string;
let store: HeadendStore;
let writer: GroupWriter;

beforeEach(async () => {
  ledger = await BillingFixture.open();
  ({ directory, store, writer } = ledger);
});

afterEach(() => ledger.close());

const charge = (source: string, amount: bigint, at = NOVEMBER) =>
  makeChargeEntry({ source, at, service: 7, currency: USD, charges: [{ payer: 'user:ann', amount }] });
const post = (entry: LedgerEntry) => ledger.post(entry);

describe('the ledger', () => {
  test('a charge is owed by the user and earned by the service; a payment settles it', async () => {
    await post(charge('1', 2_500_000n));
    await post(
      makePaymentEntry({ source: 'desk-1', at: NOVEMBER, payer: 'user:ann', currency: USD, amount: 2_500_000n }),
    );
    expect(await readBalances(store)).toEqual([
      { account: 'cash', currency: USD, amount: 2_500_000n },
      { account: 'revenue:7', currency: USD, amount: -2_500_000n },
      { account: 'user:ann', currency: USD, amount: 0n },
    ]);
  });

  test('the same event is entered once, and comes later with nothing added', async () => {
    await post(charge('1', 5n));
    const again = charge('1', 5n);
    await post({ ...again, lines: [...again.lines, ...again.lines] });
    expect(await readEntries(store, {})).toMatchObject([
      { id: 1, kind: 'charge', source: '1', lines: [{ amount: 5n }] },
    ]);
  });

  test('what comes to nothing has no entry', async () => {
    await post(charge('1', 0n));
    expect(await readEntries(store, {})).toEqual([]);
  });

  test('a line below zero, or of one account alone, is refused', () => {
    const negative = { debit: 'cash', credit: 'writeoffs', currency: USD, amount: -1n } as const;
    expect(() => postChanges({ kind: 'payment', source: '1', at: NOVEMBER, lines: [negative] })).toThrow(RangeError);
    const line = { debit: 'cash', credit: 'cash', currency: USD, amount: 1n } as const;
    expect(() => postChanges({ kind: 'payment', source: '1', at: NOVEMBER, lines: [line] })).toThrow(RangeError);
  });

  test('a correction takes an entry back once, and both stay', async () => {
    await post(charge('1', 5n));
    const [wrong] = await readEntries(store, { kind: 'charge', source: '1' });
    const correction = makeCorrectionEntry(wrong!.id, wrong!.lines, { at: DECEMBER, note: 'the picture was black' });
    await post(correction);
    await post(correction);
    expect(await readEntries(store, { account: 'user:ann' })).toHaveLength(2);
    expect(await readBalances(store, 'user:ann')).toEqual([{ account: 'user:ann', currency: USD, amount: 0n }]);
  });
});

describe('each event moves its amount from the right side of one account to the left side of another', () => {
  const event = { source: '1', at: NOVEMBER, currency: USD, amount: 5n, service: 7 };
  const card = '0a1b2c-02-00000001';
  test.each<[string, LedgerEntry, LedgerAccount, LedgerAccount]>([
    [
      'a charge by invoice',
      makeChargeEntry({ ...event, charges: [{ payer: 'user:ann', amount: 5n }] }),
      'user:ann',
      'revenue:7',
    ],
    [
      "an advert's delivery",
      makeChargeEntry({ ...event, charges: [{ payer: 'provider:ads', amount: 5n }] }),
      'provider:ads',
      'revenue:7',
    ],
    ['a price per period', makePeriodFeeEntry({ ...event, payer: 'user:ann' }), 'user:ann', 'revenue:7'],
    ['a receipt of a card', makeReceiptEntry({ ...event, cardId: card, torn: 0n }), `card:${card}`, 'revenue:7'],
    ['a load for money', makeLoadEntry({ ...event, cardId: card, from: 'cash' }), 'cash', `card:${card}`],
    ['a load on credit', makeLoadEntry({ ...event, cardId: card, from: 'user:ann' }), 'user:ann', `card:${card}`],
    ['a payment', makePaymentEntry({ ...event, payer: 'user:ann' }), 'cash', 'user:ann'],
    ['a refund', makeRefundEntry({ ...event, from: 'refunds:7', to: 'user:ann' }), 'refunds:7', 'user:ann'],
    ['a write-off', makeWriteOffEntry({ ...event, debtor: 'user:ann' }), 'writeoffs', 'user:ann'],
    ['a settlement', makeSettlementEntry({ ...event, operator: 'network' }), 'revenue:7', 'operator:network'],
    [
      'a move',
      makeMoveEntry({ ...event, from: card, to: '0a1b2c-02-00000002' }),
      `card:${card}`,
      'card:0a1b2c-02-00000002',
    ],
  ])('%s', async (_, entry, debit, credit) => {
    await post(entry);
    const [kept] = await readEntries(store, {});
    expect(kept!.lines).toEqual([{ debit, credit, currency: USD, amount: 5n }]);
  });
});

test('what was torn is not earned: it is owed to the card until a load gives it back', async () => {
  const [card, torn] = ['card:0a1b2c-02-00000001', 'torn:0a1b2c-02-00000001'] as const;
  const receipt = { source: '1', at: NOVEMBER, currency: USD, cardId: '0a1b2c-02-00000001', service: 7 };
  await post(makeReceiptEntry({ ...receipt, amount: 5n, torn: 3n }));
  expect(await readBalances(store)).toEqual([
    { account: card, currency: USD, amount: 8n },
    { account: 'revenue:7', currency: USD, amount: -5n },
    { account: torn, currency: USD, amount: -3n },
  ]);
  await post(makeRefundEntry({ source: '1', at: NOVEMBER, currency: USD, from: torn, to: card, amount: 3n }));
  expect(await readBalances(store, torn)).toEqual([{ account: torn, currency: USD, amount: 0n }]);
});

describe('what is entered stays', () => {
  test.each([
    'update ledger_entry set at = 0',
    'delete from ledger_entry',
    'update ledger_posting set amount = 1',
    'delete from ledger_posting',
    "insert into ledger_posting values (1, 2, 'cash', 'cash', 840, 1)",
    "insert into ledger_posting values (1, 1, 'cash', 'writeoffs', 840, -1)",
  ])('the database itself refuses: %s', async (statement) => {
    await post({ ...charge('1', 5n), lines: [...charge('1', 5n).lines, ...charge('1', 6n).lines] });
    const before = await readEntries(store, {});
    const database = new DatabaseSync(headendDatabase(directory));
    try {
      expect(() => database.exec(statement)).toThrow();
    } finally {
      database.close();
    }
    expect(await readEntries(store, {})).toEqual(before);
  });

  test('a closed month stays closed: what comes late is entered in the first open one', async () => {
    await post(charge('1', 5n));
    await writer.commit([closeChange('2026-11', DECEMBER)]);
    await post(charge('2', 6n));
    expect(await readEntries(store, {})).toMatchObject([{ period: '2026-11' }, { period: '2026-12', at: NOVEMBER }]);
    expect(await readLastClosed(store)).toBe('2026-11');
    const database = new DatabaseSync(headendDatabase(directory));
    const insert = "insert into ledger_entry (kind, source, at, period, lines) values ('charge', '3', 0, '2026-11', 1)";
    expect(() => database.exec(insert)).toThrow('closed');
    expect(() => database.exec('delete from ledger_close')).toThrow('stays');
    database.close();
  });
});

test('whatever happens, in whatever order and however often, all balances of a currency sum to zero', async () => {
  const account = fc.constantFrom<LedgerAccount>('cash', 'writeoffs', 'user:ann', 'user:bo', 'revenue:7', 'tax:vat');
  const line = fc
    .record({ debit: account, credit: account, currency: fc.constantFrom(840, 978), amount: fc.bigInt(1n, 10n ** 15n) })
    .filter(({ debit, credit }) => debit !== credit);
  const entry = fc.record({
    kind: fc.constantFrom<LedgerEntry['kind']>('charge', 'payment', 'refund'),
    source: fc.integer({ min: 1, max: 40 }).map(String),
    at: fc.integer({ min: NOVEMBER, max: NOVEMBER + 100 * 86_400 }),
    lines: fc.array(line, { minLength: 1, maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 20 }), async (events) => {
      await Promise.all(events.map(post));
      const sums = new Map<number, bigint>();
      for (const { currency, amount } of await readBalances(store)) {
        sums.set(currency, (sums.get(currency) ?? 0n) + amount);
      }
      expect([...sums.values()].every((sum) => sum === 0n)).toBe(true);
      const kept = await readEntries(store, {});
      expect(new Set(kept.map(({ kind, source }) => `${kind} ${source}`)).size).toBe(kept.length);
      for (const { kind, source, lines } of kept) {
        const first = events.find((event) => event.kind === kind && event.source === source);
        if (first !== undefined && kept.length === events.length) expect(lines).toEqual(first.lines);
      }
    }),
    { numRuns: 40 },
  );
});

describe('names', () => {
  test.each(['cash', 'card:0a1b2c-02-00000001', 'user:ann@example', 'revenue:7', 'tax:vat 19'])('%s is one', (name) => {
    expect(parseLedgerAccount(name)).toBe(name);
  });

  test.each(['', 'card:xyz', 'revenue:', 'revenue:7x', 'user:', 'user:a\nb', `user:${'a'.repeat(80)}`, 'bank'])(
    '%s is none',
    (name) => {
      expect(() => parseLedgerAccount(name)).toThrow('is not an account of the ledger');
    },
  );

  test('months follow each other', () => {
    expect(periodOf(DECEMBER - 1)).toBe('2026-11');
    expect(nextPeriod('2026-12')).toBe('2027-01');
    expect(nextPeriod('2027-01')).toBe('2027-02');
    expect(nextPeriod('2027-02')).toBe('2027-03');
    expect(() => parsePeriod('2026-13')).toThrow('2026-11');
  });
});
