import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { RECEIPT } from '../../../../apdu/layout/money.ts';
import { fromHex } from '../../../../apdu/octets.ts';
import { postChanges } from '../../../../host/headend/ledger/ledger-rows.ts';
import { makeLoadEntry, makeReceiptEntry, makeRefundEntry } from '../../../../host/headend/ledger/make-entries.ts';
import { forgetSent } from '../../../../host/headend/meter/forget-sent.ts';
import { listFraud } from '../../../../host/headend/receipts/fraud-list.ts';
import { type ReconciledSpan, Reconciler } from '../../../../host/headend/receipts/reconciler.ts';
import { GroupWriter } from '../../../../host/store/group-writer.ts';
import { headendDatabase, type HeadendStore, openHeadendStore } from '../../../../host/store/headend/headend-store.ts';
import type { ReceiptRowTable } from '../../../../host/store/headend/tables/receipt-tables.ts';

const CARD = '0a1b2c0200000001';
const OTHER = '0a1b2c0200000002';
const USD = 840;
const BY_OCTETS = 7;
const FLAT = 9;
/** Media time of the first of ten seconds of 100,000 octets, 1 s and 4 groups each. */
const FROM = 1_000_000;
const TO = FROM + 9;
const ALWAYS = { from: 0, to: 0xffff_ffff };

/** All ten seconds at 0.25 USD/MB. */
const GOOD: ReceiptRowTable = {
  cardId: CARD,
  number: 1,
  service: BY_OCTETS,
  firstSegment: 1,
  lastSegment: 1,
  octets: 1_000_000n,
  duration: 10_000n,
  groups: 40,
  timeFrom: FROM,
  timeTo: TO,
  amount: 250_000n,
  torn: 0n,
  loaded: 1_000_000n,
  spent: 250_000n,
  currency: USD,
  isTorn: false,
  takenAt: TO + 60,
  message: new Uint8Array(RECEIPT.length),
};
/** A session that was torn before its second take. */
const EMPTY: Partial<ReceiptRowTable> = {
  octets: 0n,
  duration: 0n,
  groups: 0,
  timeFrom: 0,
  timeTo: 0,
  amount: 0n,
  isTorn: true,
};

let directory: string;
let store: HeadendStore;
let writer: GroupWriter;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-reconciler-'));
  store = await openHeadendStore(directory);
  writer = new GroupWriter(headendDatabase(directory));
  const sold = { session: 'tollcast 1 127.0.0.1', segment: 1, currency: USD };
  await store
    .insertInto('sentKey')
    .values([
      { ...sold, service: BY_OCTETS, keyId: 1, tariff: 'octets', price: 250_000n },
      { ...sold, service: FLAT, keyId: 1, tariff: 'flat', price: 1_500_000n },
    ])
    .execute();
  const seconds = [BY_OCTETS, FLAT].flatMap((service) =>
    Array.from({ length: 10 }, (_none, i) => ({
      service,
      second: FROM + i,
      keyId: 1,
      octets: 100_000n,
      duration: 1000n,
      groups: 4,
    })),
  );
  await store.insertInto('sentSecond').values(seconds).execute();
});

afterEach(async () => {
  await writer.close();
  await store.destroy();
  await rm(directory, { recursive: true });
});

async function keepReceipt(changed: Partial<ReceiptRowTable> = {}): Promise<void> {
  await store
    .insertInto('receipt')
    .values({ ...GOOD, ...changed })
    .execute();
}

async function enter(changed: Partial<ReceiptRowTable> = {}): Promise<void> {
  const { cardId, number, service, amount, torn, currency, timeTo: at } = { ...GOOD, ...changed };
  const named = { source: `${cardId}:${number}`, cardId: formatCardId(fromHex(cardId)) };
  await writer.commit(postChanges(makeReceiptEntry({ ...named, at, service, amount, torn, currency })));
}

/** A receipt, and its entry. */
async function take(changed: Partial<ReceiptRowTable> = {}): Promise<void> {
  await keepReceipt(changed);
  await enter(changed);
}

async function find(span: Partial<ReconciledSpan> = {}) {
  return (await new Reconciler(store).reconcile({ ...ALWAYS, ...span })).differences;
}

describe('what agrees is no difference', () => {
  test.each<[string, Partial<ReceiptRowTable>]>([
    ['a receipt of all that was sent', {}],
    ['one with a micro-unit more, as a card rounds up once', { amount: 250_001n }],
    ['one with torn credit', { torn: 20_000n, isTorn: true }],
    ['one of half of it', { octets: 500_000n, duration: 5000n, groups: 20, timeTo: FROM + 4, amount: 125_000n }],
    ['one of a session that was torn before it opened anything', EMPTY],
    ['one that was torn at once where the price is flat', { ...EMPTY, service: FLAT, amount: 1_500_000n }],
    ['one at a flat price', { service: FLAT, amount: 1_500_000n }],
  ])('%s', async (_, changed) => {
    await take(changed);
    const { amount, octets, torn, service } = { ...GOOD, ...changed };
    expect(await new Reconciler(store).reconcile(ALWAYS)).toEqual({
      totals: [{ service, currency: USD, receipts: 1, octets, amount, torn }],
      differences: [],
      isCut: false,
    });
  });

  test('up to the bound of a sender that died', async () => {
    const bound = { service: BY_OCTETS, ssrc: 2, timeFrom: TO, timeTo: TO, octets: 1n, duration: 0n, groups: 0 };
    await store.insertInto('sentBound').values(bound).execute();
    await take({ octets: 1_000_001n });
    expect(await find()).toEqual([]);
  });
});

describe('each difference is shown, with why', () => {
  test.each<[string, string, Partial<ReceiptRowTable>, string]>([
    ['of a service that is not sent', 'nothing sent', { service: 8 }, `nothing of service 8 was sent from ${FROM} to`],
    [
      'of a time when nothing was sent',
      'nothing sent',
      { timeFrom: TO + 1, timeTo: TO + 2 },
      `nothing of service 7 was sent from ${TO + 1} to ${TO + 2} here`,
    ],
    ['octets', 'more than was sent', { octets: 1_000_001n }, 'octets: 1000001 in the receipt, 1000000 were sent'],
    ['media time', 'more than was sent', { duration: 10_001n }, 'duration: 10001 in the receipt, 10000 were sent'],
    ['groups', 'more than was sent', { groups: 41 }, 'groups: 41 in the receipt, 40 were sent'],
    ['of a time to come', 'impossible', { takenAt: TO - 121 }, `it is of ${TO}, and came at ${TO - 121}`],
    ['its end before its start', 'impossible', { timeFrom: TO + 1 }, 'it has groups and no time or octets'],
    ['groups without octets', 'impossible', { octets: 0n }, 'it has groups and no time or octets'],
    ['octets in no group', 'impossible', { ...EMPTY, octets: 5n }, '5 octets in no group'],
    ['too much', 'wrong amount', { amount: 250_002n }, '250002 in the receipt, 250000 by units and price'],
    ['too little', 'wrong amount', { amount: 249_998n }, '249998 in the receipt, 250000 by units and price'],
    [
      'more segments than there were',
      'wrong amount',
      { service: FLAT, amount: 3_000_000n },
      '3000000 in the receipt, 1500000 by units and price',
    ],
    [
      'money for nothing',
      'wrong amount',
      { ...EMPTY, amount: 5n },
      '5 for nothing, and service 7 had no such flat price',
    ],
  ])('%s: %s', async (_, kind, changed, why) => {
    await take(changed);
    const { cardId, number, service, timeFrom: from, timeTo: to, amount } = { ...GOOD, ...changed };
    expect(await find()).toEqual([
      { cardId, number, service, from, to, amount, kind, why: expect.stringContaining(why) as string },
    ]);
  });

  test('a receipt without an entry', async () => {
    await keepReceipt();
    const why = `the ledger has no card:${formatCardId(fromHex(CARD))} to revenue:7 250000 of 840;`;
    const place = { cardId: CARD, number: 1, service: BY_OCTETS, from: FROM, to: TO, amount: 250_000n };
    expect(await find()).toEqual([{ ...place, kind: 'not in the ledger', why }]);
  });

  test.each<[string, Partial<ReceiptRowTable>]>([
    ['another amount', { amount: 250_001n }],
    ['another service', { service: FLAT }],
    ['another currency', { currency: 978 }],
    ['torn credit that the receipt has not', { torn: 1n }],
  ])('an entry of %s', async (_, changed) => {
    await keepReceipt();
    await enter(changed);
    const [difference, ...more] = await find();
    expect(more).toEqual([]);
    expect(difference).toMatchObject({ kind: 'ledger differs', from: FROM, to: TO });
    expect(difference!.why).toContain(' and not ');
  });

  test('an entry without a receipt, with what was earned by it', async () => {
    await enter();
    const why = 'the ledger has an entry of a receipt that is not here';
    const place = { cardId: CARD, number: 1, service: BY_OCTETS, from: TO, to: TO, amount: 250_000n };
    expect(await find()).toEqual([{ ...place, kind: 'no such receipt', why }]);
  });

  test('of a time, a service or a card alone, whatever it is', async () => {
    await take({ octets: 1_000_001n });
    await enter({ number: 2 });
    await enter({ number: 1, cardId: OTHER, service: FLAT });
    const kinds = async (span: Partial<ReconciledSpan>) => (await find(span)).map(({ kind }) => kind);
    expect(await kinds({})).toEqual(['more than was sent', 'no such receipt', 'no such receipt']);
    expect(await kinds({ cardId: CARD })).toEqual(['more than was sent', 'no such receipt']);
    expect(await kinds({ cardId: OTHER })).toEqual(['no such receipt']);
    expect(await kinds({ service: FLAT })).toEqual(['no such receipt']);
    expect(await kinds({ from: TO + 1 })).toEqual([]);
  });
});

describe('a journal that was shortened', () => {
  test('is no difference for what was here by then; what comes later is told', async () => {
    await take();
    await forgetSent(store, writer, TO + 1, TO + 1000);
    expect(await store.selectFrom('sentSecond').selectAll().execute()).toEqual([]);
    expect(await find()).toEqual([]);
    const late = { number: 2, takenAt: TO + 1000, spent: 500_000n };
    await take(late);
    expect(await find()).toMatchObject([{ number: 2, kind: 'nothing sent' }]);
  });

  test('loses nothing from then on, and its prices stay', async () => {
    await take();
    await forgetSent(store, writer, FROM + 3, TO + 1000);
    const seconds = await store.selectFrom('sentSecond').select('second').where('service', '=', FLAT).execute();
    expect(seconds.map(({ second }) => second)).toEqual([3, 4, 5, 6, 7, 8, 9].map((second) => FROM + second));
    await take({ ...EMPTY, number: 2, service: FLAT, amount: 1_500_000n });
    expect(await find()).toEqual([]);
  });
});

describe('loads of a card whose accounts are here', () => {
  const card = formatCardId(fromHex(CARD));
  const load = (number: number, amount: bigint, at: number) =>
    writer.commit(
      postChanges(
        makeLoadEntry({ source: `${CARD}:${number}`, at, currency: 840, amount, cardId: card, from: 'cash' }),
      ),
    );
  let ordered = 0n;
  const differences = async (span: Partial<ReconciledSpan> = {}) =>
    (
      await new Reconciler(store, async (cardId) => (cardId === CARD ? ordered : undefined)).reconcile({
        ...ALWAYS,
        ...span,
      })
    ).differences;

  test('agree with its last receipt: before it, after it, given back, or signed before and carried out after', async () => {
    await load(1, 400_000n, FROM - 100);
    const back = { source: `${CARD}:2`, at: FROM - 50, currency: 840, amount: 100_000n };
    await load(2, 500_000n, FROM - 50);
    await writer.commit(postChanges(makeRefundEntry({ ...back, from: `torn:${card}`, to: `card:${card}` })));
    await take();
    expect(await differences()).toEqual([]);
    await load(3, 5n, FROM - 1);
    await load(4, 7n, TO + 1);
    expect(await differences()).toEqual([]);
  });

  test('more than the ledger has, or less, is a difference of its own kind', async () => {
    await load(1, 999_999n, FROM - 100);
    await take();
    const place = { cardId: CARD, number: 1, service: BY_OCTETS, from: FROM, to: TO, amount: 1_000_000n };
    const more = 'the card was loaded 1000000, and the ledger has 999999 for it';
    expect(await differences()).toEqual([{ ...place, kind: 'loads differ', why: more }]);
    // It has carried out an order whose proof is on its way.
    ordered = 1n;
    expect(await differences()).toEqual([]);
    ordered = 2n;
    expect(await differences()).toHaveLength(1);
    ordered = 0n;
    await load(2, 2n, FROM - 90);
    await load(3, 5n, FROM - 80);
    const less = 'the ledger has 1000001 before this receipt, and the card was loaded 1000000';
    expect(await differences()).toEqual([{ ...place, kind: 'loads differ', why: less }]);
    expect(await differences({ from: TO + 1 })).toEqual([]);
    expect(await differences({ service: BY_OCTETS })).toEqual([]);
  });

  test('are not looked at where they are elsewhere', async () => {
    await take({ cardId: OTHER });
    expect(await differences()).toEqual([]);
  });
});

describe('each suspicion is listed, with why', () => {
  const suspicion = { cardId: CARD, number: 3, at: TO + 60, message: null } as const;
  const list = async (span: Partial<ReconciledSpan> = {}) => {
    const asked = { ...ALWAYS, ...span };
    return listFraud(store, asked, await new Reconciler(store).reconcile(asked));
  };

  test('a soft purse that runs backwards', async () => {
    const reason = 'receipt 3 contradicts what the card signed before';
    await store
      .insertInto('suspicion')
      .values({ ...suspicion, kind: 'runs backwards', reason })
      .execute();
    const { cardId, number, at } = suspicion;
    expect(await list()).toEqual([{ cardId, kind: 'runs backwards', number, service: undefined, at, why: reason }]);
  });

  test('missing receipts, until they are here', async () => {
    const reason = 'receipt 3 came, and 1 is the last one here';
    await store
      .insertInto('suspicion')
      .values({ ...suspicion, kind: 'missing receipts', reason })
      .execute();
    expect(await list()).toMatchObject([{ kind: 'missing receipts', number: 3, why: reason }]);
    await take({ number: 3 });
    expect(await list()).toEqual([]);
  });

  test('what the journal denies, and not what may be the own fault of a head-end', async () => {
    await take({ groups: 41 });
    await take({ number: 2, takenAt: TO - 121 });
    await take({ number: 3, amount: 250_002n });
    await take({ number: 4, service: 8 });
    await keepReceipt({ number: 5 });
    await enter({ number: 6 });
    expect((await list()).map(({ kind, number, why }) => [kind, number, why])).toEqual([
      ['more than was sent', 1, 'groups: 41 in the receipt, 40 were sent'],
      ['impossible', 2, `it is of ${TO}, and came at ${TO - 121}`],
    ]);
  });

  test('of a time, a service or a card alone', async () => {
    const message = new Uint8Array(RECEIPT.length);
    new DataView(message.buffer).setUint32(RECEIPT.at.service, BY_OCTETS);
    message[RECEIPT.at.reason] = 1;
    const shown = { ...suspicion, kind: 'runs backwards', reason: 'as it showed' };
    await store
      .insertInto('suspicion')
      .values([
        { ...shown, message },
        { ...shown, cardId: OTHER },
      ])
      .execute();
    expect(await list()).toHaveLength(2);
    expect(await list({ cardId: OTHER })).toMatchObject([{ cardId: OTHER }]);
    expect(await list({ service: BY_OCTETS })).toMatchObject([{ cardId: CARD, service: BY_OCTETS }]);
    expect(await list({ service: FLAT })).toEqual([]);
    expect(await list({ to: TO })).toEqual([]);
  });
});
