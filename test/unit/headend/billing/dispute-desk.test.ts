import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DisputeDesk } from '../../../../host/headend/billing/disputes/dispute-desk.ts';
import { makeChargeEntry, makePaymentEntry, makeReceiptEntry } from '../../../../host/headend/ledger/make-entries.ts';
import { readBalances, readEntries } from '../../../../host/headend/ledger/read-ledger.ts';
import { parseMoney } from '../../../../host/money/amount.ts';
import { BillingFixture } from '../../../support/headend/billing/billing-fixture.ts';

const AT = Date.UTC(2026, 10, 5) / 1000;
const USD = 840;
const CARD = '0a1b2c-02-00000001';
const CARD_HEX = '0a1b2c0200000001';
const ANNA = 'user:anna';
/** Numbers of the entries below. */
const [CHARGE, RECEIPT, PAYMENT] = [1, 2, 3];

let fixture: BillingFixture;
let desk: DisputeDesk;

beforeEach(async () => {
  fixture = await BillingFixture.open();
  desk = new DisputeDesk(fixture.store, fixture.writer, fixture.clock);
  const common = { at: AT, currency: USD, service: 7 };
  const charges = [
    { payer: 'provider:7', amount: 900_000n },
    { payer: ANNA, amount: 2_500_000n },
  ] as const;
  await fixture.post(
    makeChargeEntry({ ...common, source: '12', charges }),
    makeReceiptEntry({ ...common, source: `${CARD_HEX}:1`, cardId: CARD, amount: 250_000n, torn: 40_000n }),
    makePaymentEntry({ at: AT, currency: USD, source: 'desk-1', amount: 2_000_000n, payer: ANNA }),
  );
  await fixture.store
    .insertInto('cardUser')
    .values({ cardId: CARD_HEX, since: 0, until: null, user: 'anna' })
    .execute();
});

afterEach(() => fixture.close());

async function balanceOf(account: string): Promise<bigint> {
  const balances = await readBalances(fixture.store);
  expect(balances.reduce((sum, { amount }) => sum + amount, 0n)).toBe(0n);
  return balances.find((one) => one.account === account)?.amount ?? 0n;
}

describe('a dispute', () => {
  test('is opened once: the same again changes nothing, and another one of the entry has to wait', async () => {
    const opened = await desk.open(CHARGE, 'a black picture', 'mona');
    expect(opened).toMatchObject({ id: 1, entryId: CHARGE, state: 'open', openedBy: 'mona', ruling: undefined });
    expect(await desk.open(CHARGE, 'a black picture', 'otto')).toEqual(opened);
    await expect(desk.open(CHARGE, 'no sound', 'mona')).rejects.toMatchObject({ code: 'DISPUTED' });
    expect(await desk.list({})).toEqual([opened]);
    expect(await desk.states([CHARGE, RECEIPT])).toEqual(new Map([[CHARGE, 'open']]));
  });

  test('of an entry that is not there, and one that is not there itself, are told to be so', async () => {
    await expect(desk.open(99, 'a black picture', 'mona')).rejects.toMatchObject({ code: 'NO_LEDGER_ENTRY' });
    await expect(desk.rule(1, { state: 'rejected', note: 'no' }, 'mona')).rejects.toMatchObject({ code: 'NO_DISPUTE' });
  });

  test('that is rejected changes no account, and what comes up later can be disputed anew', async () => {
    await desk.open(CHARGE, 'a black picture', 'mona');
    const ruled = await desk.rule(1, { state: 'rejected', note: 'it was sent' }, 'otto');
    expect(ruled).toMatchObject({ state: 'rejected', ruling: { ruledBy: 'otto', givenBy: null } });
    expect(await balanceOf(ANNA)).toBe(500_000n);
    expect(await desk.open(CHARGE, 'the record of my set', 'mona')).toMatchObject({ id: 2, state: 'open' });
    expect(await desk.states([CHARGE])).toEqual(new Map([[CHARGE, 'open']]));
  });

  test('that is upheld takes the entry back by a correction, all its lines', async () => {
    await desk.open(CHARGE, 'a black picture', 'mona');
    const ruling = { state: 'upheld', note: 'the sender was down' } as const;
    const ruled = await desk.rule(1, ruling, 'otto');
    const [given] = await readEntries(fixture.store, { id: ruled.ruling!.givenBy! });
    expect(given).toMatchObject({ kind: 'correction', source: String(CHARGE), note: 'the sender was down' });
    expect(await balanceOf(ANNA)).toBe(-2_000_000n);
    expect(await balanceOf('provider:7')).toBe(0n);
    expect(await desk.rule(1, ruling, 'otto')).toEqual(ruled);
    await expect(desk.open(CHARGE, 'a black picture', 'mona')).rejects.toMatchObject({ code: 'DISPUTED' });
  });

  test('that is upheld in part refunds the user, and no more than the entry has earned of it', async () => {
    await desk.open(CHARGE, 'half of it was black', 'mona');
    const uphold = (amount: string) =>
      desk.rule(1, { state: 'upheld', note: 'half of it', amount: parseMoney(amount) }, 'otto');
    await expect(uphold('2.60 USD')).rejects.toThrow('entry 1 has earned 2.50 USD; give back that or less');
    await expect(uphold('1.00 EUR')).rejects.toThrow('entry 1 has earned 2.50 USD');
    const ruled = await uphold('1.25 USD');
    expect(await uphold('1.25 USD')).toEqual(ruled);
    await expect(uphold('1.00 USD')).rejects.toMatchObject({ code: 'DISPUTE_RULED' });
    expect(await balanceOf('refunds:7')).toBe(1_250_000n);
    expect(await balanceOf(ANNA)).toBe(-750_000n);
  });

  test('of what a card has paid is refunded to the user of the card, whose counters are its own', async () => {
    await desk.open(RECEIPT, 'I was asleep', 'mona');
    await desk.rule(1, { state: 'upheld', note: 'out of kindness' }, 'otto');
    expect(await balanceOf(ANNA)).toBe(250_000n);
    expect(await balanceOf(`card:${CARD}`)).toBe(290_000n);
  });

  test('of what has earned nothing is upheld as a whole alone', async () => {
    await desk.open(PAYMENT, 'it was not mine', 'mona');
    const part = { state: 'upheld', note: 'so it is', amount: parseMoney('1.00 USD') } as const;
    await expect(desk.rule(1, part, 'otto')).rejects.toThrow('leave the amount out');
    await desk.rule(1, { state: 'upheld', note: 'so it is' }, 'otto');
    expect(await balanceOf('cash')).toBe(0n);
  });

  test('is ruled once, however many operators rule it at a time', async () => {
    await desk.open(CHARGE, 'a black picture', 'mona');
    const rulings = [
      { state: 'rejected', note: 'it was sent' },
      { state: 'upheld', note: 'the sender was down' },
      { state: 'upheld', note: 'half of it', amount: parseMoney('1.25 USD') },
    ] as const;
    const settled = await Promise.allSettled(rulings.map((ruling) => desk.rule(1, ruling, 'otto')));
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(await readEntries(fixture.store, {})).toHaveLength(3);
  });

  test('stays as it was entered', async () => {
    await desk.open(CHARGE, 'a black picture', 'mona');
    await desk.rule(1, { state: 'rejected', note: 'it was sent' }, 'otto');
    for (const change of [
      sql`update dispute set reason = ''`,
      sql`delete from dispute`,
      sql`update dispute_ruling set ruling = 'upheld'`,
      sql`delete from dispute_ruling`,
    ]) {
      await expect(change.execute(fixture.store)).rejects.toThrow('a dispute stays as it was entered');
    }
  });
});
