import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import type { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { TransportError } from '../../../../apdu/errors.ts';
import { toHex } from '../../../../apdu/octets.ts';
import { explainEntry } from '../../../../host/headend/billing/explain-entry.ts';
import type { LedgerAccount } from '../../../../host/headend/ledger/ledger-account.ts';
import { readBalances, readEntries } from '../../../../host/headend/ledger/read-ledger.ts';
import { fetchLoad, type PostJson } from '../../../../host/holder/loads/fetch-load.ts';
import { RequestRefusedError } from '../../../../host/holder/requests/subscription.ts';
import { parseMoney } from '../../../../host/money/amount.ts';
import { BillingDesk, PRICE } from '../../../support/headend/billing/billing-desk.ts';
import { IssuerDesk, UNIT } from '../../../support/issuer-desk.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';

/** Seconds since 1970: what was bought, and when the card was reported lost. */
const BOUGHT = { from: 1500, to: 9000 };
const REPORTED = 2500;
const HOUR = 3600;

let clock: SimulatedClock;
let issuer: IssuerDesk;
let desk: BillingDesk;
let lost: { readonly id: Uint8Array; readonly module: DecodeModule };
let found: { readonly id: Uint8Array; readonly module: DecodeModule };

beforeEach(async () => {
  clock = new SimulatedClock(REPORTED * 1000);
  issuer = await IssuerDesk.withCard('soft');
  await issuer.load(10n * UNIT);
  lost = { id: issuer.cardId, module: issuer.module };
  desk = await BillingDesk.open(issuer, clock);
});

afterEach(async () => {
  await desk[Symbol.asyncDispose]();
  await issuer.close();
});

/** The card opens these groups, a micro-unit an octet, at a media time. */
async function watch(groups: readonly number[], mediaTime: number): Promise<void> {
  const onGroup: BillingDesk['journal']['count'] = (header) => desk.journal.count(header);
  await issuer.watchGroups(groups, { price: PRICE, quantum: 20_000n, mediaTime, onGroup });
  await issuer.module.closeSession();
}

async function report(operator = 'ann') {
  const row = { at: BOUGHT.from, cardId: toHex(lost.id), kind: 'join', service: 5, session: null, segmentId: null };
  await desk.store
    .insertInto('requestLog')
    .values({ id: 1, ...row, timeFrom: BOUGHT.from, timeTo: BOUGHT.to, requestId: null, outcome: 'joined' })
    .execute();
  await issuer.insertBlank('soft');
  await issuer.makeCard();
  found = { id: issuer.cardId, module: issuer.module };
  return desk.loads.lost!.report(lost.id, found.id, operator);
}

async function goTo(at: number): Promise<void> {
  await clock.advance(at * 1000 - clock.now());
}

function fetch({ module }: { readonly module: DecodeModule }, key: string, voucher?: string, post = desk.post) {
  return fetchLoad(module, post, { key, voucher });
}

async function problemOf(loading: Promise<unknown>): Promise<string> {
  const error = await loading.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof RequestRefusedError)) throw error;
  return `${error.problem.code}: ${error.problem.detail}`;
}

async function balanceOf(account: LedgerAccount): Promise<bigint> {
  return (await readBalances(desk.store, account))[0]?.amount ?? 0n;
}

describe('a card that was lost', () => {
  test('leaves what the ledger proves, less what it may still have spent, once its purchases have ended', async () => {
    await watch([1_000_000], 1600);
    await desk.deliver();
    // A thief plays on and keeps the receipt; more was sent than it opens, and after its purchase much more.
    await watch([2_000_000], 3000);
    await desk.journal.count({ ...HEADER, mediaTime: 4000, octets: 500_000 });
    await desk.journal.count({ ...HEADER, mediaTime: 9001, octets: 7_000_000 });
    await desk.journal.close();
    const row = await report();
    expect(row).toMatchObject({ endsAt: BOUGHT.to, dueAt: BOUGHT.to + HOUR, reportedBy: 'ann' });
    expect(await problemOf(fetch(found, 'much-too-early-key'))).toContain('comes after 1970-01-01T03:30:00');
    await goTo(BOUGHT.to + HOUR);
    // The second of the last receipt counts once more, as it may have had other groups; each group is rounded up.
    const held = 1_000_000n + 2_000_000n + 500_000n + 3n;
    const moved = 9n * UNIT - held;
    expect(await fetch(found, 'the-first-key-0001')).toMatchObject({ amount: moved, repeated: false });
    expect(await problemOf(fetch(found, 'the-second-key-002'))).toContain('nothing-paid');
    expect(await found.module.getPurse()).toMatchObject({ loaded: moved, loadNumber: 1 });
    const [entry, ...others] = await readEntries(desk.store, { kind: 'move' });
    expect(others).toEqual([]);
    const accounts = { debit: `card:${formatCardId(lost.id)}`, credit: `card:${formatCardId(found.id)}` };
    expect(entry).toMatchObject({ source: formatCardId(lost.id), lines: [{ ...accounts, amount: moved }] });
    expect((await explainEntry(desk.store, entry!.id)).lostCard).toMatchObject({ balance: 9n * UNIT, held, moved });
    expect(await balanceOf('cash')).toBe(10n * UNIT);
  });

  test('may spend until its purchases end: receipts that come late are in what was held back', async () => {
    await watch([1_000_000], 1600);
    await desk.deliver();
    await watch([2_000_000], 3000);
    await desk.journal.close();
    await report();
    await goTo(BOUGHT.to + HOUR);
    const { amount } = await fetch(found, 'the-first-key-0001');
    await desk.deliver(false, lost.module);
    expect(await balanceOf(`card:${formatCardId(lost.id)}`)).toBe(-(10n * UNIT - 3n * UNIT - amount));
    expect(amount + 3n * UNIT).toBeLessThan(10n * UNIT);
    const balances = await readBalances(desk.store);
    expect(balances.reduce((sum, one) => sum + one.amount, 0n)).toBe(0n);
    const { differences } = await desk.receipts.reconcile({ from: 0, to: 0xffff_ffff });
    expect(differences).toEqual([]);
  });

  test('a receipt that comes in time leaves that much more', async () => {
    await watch([2_000_000], 3000);
    await desk.journal.count({ ...HEADER, mediaTime: 2000, octets: 4_000_000 });
    await desk.journal.close();
    await report();
    await goTo(BOUGHT.to);
    await desk.deliver(false, lost.module);
    await goTo(BOUGHT.to + HOUR);
    expect(await fetch(found, 'the-first-key-0001')).toMatchObject({ amount: 8n * UNIT - 2_000_001n });
  });

  test('leaves nothing where all of it may have been spent, and that is said', async () => {
    await desk.journal.count({ ...HEADER, mediaTime: 4000, octets: 11_000_000 });
    await desk.journal.close();
    await report();
    await goTo(BOUGHT.to + HOUR);
    expect(await problemOf(fetch(found, 'the-first-key-0001'))).toContain('nothing-paid');
    const [row] = await desk.loads.lost!.list();
    expect(row).toMatchObject({ balance: 10n * UNIT, held: 11_000_001n, moved: 0n });
  });

  test('leaves nothing where the journal of its time was shortened, as nobody can tell', async () => {
    await desk.journal.count({ ...HEADER, mediaTime: 4000, octets: 1 });
    await desk.journal.close();
    await report();
    await desk.store.insertInto('sentForgotten').values({ id: 1, before: 5000, forgottenAt: 6000 }).execute();
    await goTo(BOUGHT.to + HOUR);
    expect(await desk.loads.lost!.list()).toMatchObject([{ balance: 10n * UNIT, moved: 0n }]);
  });

  test('loads nothing any more: no voucher, no payment, no order of the issuer', async () => {
    const { credits } = desk.loads;
    const grant = { name: 'desk-1', kind: 'cash', cardId: toHex(lost.id), money: parseMoney('1.00 USD') } as const;
    await credits!.grant(grant, 'ann');
    const [code] = await credits!.makeVouchers({ name: 'may', count: 1, money: parseMoney('2.00 USD') }, 'ann');
    await report();
    expect(await problemOf(fetch(lost, 'the-first-key-0001', code))).toContain('blocked-card');
    expect(await problemOf(fetch(lost, 'the-second-key-002'))).toContain('blocked-card');
    await desk.crash(3);
    expect(await problemOf(fetch(lost, 'the-third-key-0003', code))).toContain('blocked-card');
    expect(await issuer.accounts.card(lost.id)).toMatchObject({ withdrawn: true });
    // What was paid at the desk, and not fetched, is the new one's; and nobody has used the voucher.
    expect(await fetch(found, 'the-fourth-key-004')).toMatchObject({ amount: UNIT });
    expect(await fetch(found, 'the-fifth-key-0005', code)).toMatchObject({ amount: 2n * UNIT });
  });

  test('has one successor, which is no lost card and has its currency', async () => {
    expect(await report('ann')).toEqual(await reportAgain('bo'));
    const other = await issuer.accounts.addCard({ moduleClass: 'card', currency: 978, maximumBalance: UNIT }, REPORTED);
    const { lost: cards } = desk.loads;
    await expect(cards!.report(lost.id, other, 'ann')).rejects.toMatchObject({ code: 'LOST_CARD' });
    await expect(cards!.report(found.id, lost.id, 'ann')).rejects.toMatchObject({ code: 'LOST_CARD' });
    await expect(cards!.report(found.id, other, 'ann')).rejects.toThrow('different currencies');
    await expect(cards!.report(found.id, found.id, 'ann')).rejects.toThrow('not replaced by itself');
    await expect(cards!.report(found.id, new Uint8Array(8), 'ann')).rejects.toThrow('not in the accounts');
  });
});

test('the balance is loaded once, whatever step is the last before head-end and client die', async () => {
  await report();
  await goTo(BOUGHT.to + HOUR);
  // Behind each of the two questions.
  for (const lastAt of [2, 4]) {
    let step = 0;
    const post: PostJson = async (...question) => {
      if (++step === lastAt) throw new TransportError('HTTPS', 'the client died');
      const answer = await desk.post(...question);
      if (++step === lastAt) throw new TransportError('HTTPS', 'the client died');
      return answer;
    };
    await fetch(found, `the-key-number-${lastAt}`, undefined, post).catch(() => undefined);
    await desk.crash(2 + lastAt);
  }
  await fetch(found, 'the-last-key-00005').catch(() => undefined);
  expect(await found.module.getPurse()).toMatchObject({ loaded: 10n * UNIT, loadNumber: 1 });
  expect(await balanceOf(`card:${formatCardId(found.id)}`)).toBe(-10n * UNIT);
  expect(await balanceOf(`card:${formatCardId(lost.id)}`)).toBe(0n);
  expect(await balanceOf('cash')).toBe(10n * UNIT);
});

test('a new card that is lost too passes on what it has not fetched', async () => {
  await report();
  const second = await issuer.accounts.addCard({ moduleClass: 'soft', currency: 840, maximumBalance: UNIT }, REPORTED);
  await desk.loads.lost!.report(found.id, second, 'ann');
  await goTo(BOUGHT.to + HOUR);
  await desk.loads.lost!.settle();
  expect(await desk.store.selectFrom('credit').select(['cardId', 'fromCard', 'amount']).execute()).toEqual([
    { cardId: toHex(second), fromCard: toHex(lost.id), amount: 10n * UNIT },
  ]);
});

/** Of a group that others are sent. */
const HEADER: Parameters<BillingDesk['journal']['count']>[0] = {
  mode: 'sealed',
  spanBlocks: 1,
  packets: 1,
  octets: 0,
  duration: 0,
  mediaTime: 0,
  contentKeyId: 77,
  index: 1,
  ssrc: 0x1000,
  group: 1,
};

/** The same again, by another operator. */
function reportAgain(operator: string) {
  return desk.loads.lost!.report(lost.id, found.id, operator);
}
