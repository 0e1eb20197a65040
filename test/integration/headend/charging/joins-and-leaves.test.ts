import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatTime, readEntry } from '../../../../host/headend/charging/charging-entry.ts';
import { currencyByCode } from '../../../../host/money/currency.ts';
import { answerOf, DeskFixture, HandCard, problemOf, SOLD } from '../../../support/headend/request-desk-fixture.ts';
import { NOW } from '../../../support/headend/sample-offer.ts';
import { nameTimes } from '../../../support/headend/timeline-names.ts';

const card = new HandCard(1);
const currency = currencyByCode('USD');
const priced = (kind: 'duration' | 'octets' | 'flat', price: bigint, settlement: 'purse' | 'invoice') =>
  ({
    ...SOLD,
    charges: { terms: [{ part: 'content', payer: 'user', tariff: { kind, price }, settlement }], currency },
  }) as const;
/** Octets that the session has sent. */
let sent: bigint;
let fixture: DeskFixture;

async function open(sold: typeof SOLD): Promise<void> {
  sent = 1_000_000n;
  fixture = await DeskFixture.open({ sold: [sold], mode: 'direct', meter: { read: () => sent } });
}

afterEach(() => fixture.close());

const ask = async (...asked: Parameters<HandCard['sign']>) => fixture.desk.answer(card.sign(...asked));

describe('times that are left to the moment', () => {
  beforeEach(() => open(SOLD));

  test('a join without a start begins when it was sent, though it came later', async () => {
    await fixture.clock.advance(3000);
    const joined = answerOf(await ask('join', NOW, NOW + 600));
    expect(joined).toMatchObject({ from: NOW, to: NOW + 600 });
    await fixture.goTo(NOW + 33);
    expect(await fixture.bills()).toMatchObject([{ from: NOW, seconds: 33 }]);
  });

  test('a leave without an end is at once: tX2 stands in the place of tE3', async () => {
    const T = { tS1: NOW, tE1: NOW + 600, tX2: NOW + 200 };
    await fixture.join(card, T.tS1, T.tE1);
    await fixture.goTo(T.tX2 - 1);
    const [entry] = fixture.desk.entries();
    await fixture.goTo(T.tX2);
    answerOf(await ask('leave', T.tX2, T.tX2));
    expect(formatTime(readEntry(entry!, T.tX2)!.time, nameTimes(T))).toBe('(tE1-tS1)');
    expect(await fixture.bills()).toMatchObject([{ from: T.tS1, to: T.tX2, seconds: 200 }]);
  });
});

describe('shortening after extending: join(e1), extend(e2 > e1), leave(e3), e1 < e3 < e2', () => {
  const T = { tS: NOW, e1: NOW + 600, e3: NOW + 900, e2: NOW + 1200 };

  beforeEach(() => open(SOLD));

  test.each([
    ['while e1 is still to come', NOW + 300],
    ['after e1', NOW + 700],
  ])('%s', async (_, at) => {
    await fixture.join(card, T.tS, T.e1);
    await fixture.join(card, T.e1, T.e2);
    await fixture.goTo(at);
    expect(answerOf(await ask('leave', at, T.e3))).toMatchObject({ to: T.e3, charge: { seconds: 900 } });
    const state = readEntry(fixture.desk.entries()[0]!, at)!;
    expect(formatTime(state.time, nameTimes(T))).toBe('(e1-tS)+(e2-e1)+(e3-e2)');
    expect(state.expiry).toBe(T.e3);
    await fixture.goTo(T.e3);
    expect(await fixture.bills()).toMatchObject([{ seconds: 900 }]);
  });

  test('a leave only counts before expiry, and only with an end before the agreed one', async () => {
    await fixture.join(card, T.tS, T.e1);
    expect(problemOf(await ask('leave', T.tS, T.e1))).toBe('not-earlier');
    expect(problemOf(await ask('leave', T.tS, T.e3))).toBe('not-earlier');
    await fixture.goTo(T.e1);
    expect(problemOf(await ask('leave', T.e1, T.e1))).toBe('not-joined');
  });

  test('a join after expiry is a new join, with an entry of its own', async () => {
    await fixture.join(card, T.tS, T.e1);
    await fixture.goTo(T.e1);
    expect(answerOf(await ask('join', T.e1, T.e2))).toMatchObject({ outcome: 'joined', from: T.e1 });
    await fixture.goTo(T.e2);
    expect((await fixture.bills()).map(({ entryId }) => entryId)).toHaveLength(2);
  });
});

describe('$5.00 an hour, 30 minutes', () => {
  test.each([
    ['invoice', 2_500_000n],
    ['purse', 0n],
  ] as const)('by %s', async (settlement, amount) => {
    await open(priced('duration', 5_000_000n, settlement));
    await fixture.join(card, NOW, NOW + 1800);
    await fixture.goTo(NOW + 1800);
    // What the card pays is no invoice; the charge is what its receipts must come to.
    expect(await fixture.bills()).toMatchObject([{ seconds: 1800, charge: 2_500_000n, amount }]);
  });
});

describe('$0.25 a megabyte, 25,000,000 octets', () => {
  test.each([
    ['invoice', 6_250_000n],
    ['purse', 0n],
  ] as const)('by %s, between the readings at start and leave', async (settlement, amount) => {
    await open(priced('octets', 250_000n, settlement));
    await fixture.join(card, NOW + 100, NOW + 1800);
    sent += 7_000_000n;
    await fixture.goTo(NOW + 100);
    sent += 25_000_000n;
    await fixture.goTo(NOW + 900);
    const left = answerOf(await ask('leave', NOW + 900, NOW + 900));
    expect(left.charge).toMatchObject({ seconds: 800, amount });
    sent += 9_000_000n;
    await fixture.goTo(NOW + 1800);
    expect(await fixture.bills()).toMatchObject([{ octets: 25_000_000n, charge: 6_250_000n, amount }]);
  });

  test('what is to come is not told beforehand', async () => {
    await open(priced('octets', 250_000n, 'invoice'));
    expect(await fixture.join(card, NOW, NOW + 600)).not.toHaveProperty('charge');
  });

  test('over a restart of the head-end', async () => {
    await open(priced('octets', 250_000n, 'invoice'));
    await fixture.join(card, NOW, NOW + 600);
    sent += 10_000_000n;
    await fixture.restart();
    sent += 15_000_000n;
    await fixture.goTo(NOW + 600);
    expect(await fixture.bills()).toMatchObject([{ amount: 6_250_000n }]);
  });
});

test('a programme is paid once for each join', async () => {
  await open(priced('flat', 1_500_000n, 'invoice'));
  await fixture.join(card, NOW, NOW + 600);
  await fixture.join(card, NOW + 600, NOW + 1200);
  await fixture.goTo(NOW + 1200);
  expect(await fixture.bills()).toMatchObject([{ seconds: 1200, amount: 1_500_000n }]);
});

test('an extension at another price is refused: no entry spans two prices', async () => {
  const dearer = { ...priced('duration', 6_000_000n, 'invoice'), sessionHash: '77'.repeat(20) };
  const same = { ...priced('duration', 5_000_000n, 'invoice'), sessionHash: '78'.repeat(20) };
  fixture = await DeskFixture.open({ sold: [priced('duration', 5_000_000n, 'invoice'), dearer, same] });
  await fixture.join(card, NOW, NOW + 600);
  expect(problemOf(await ask('extend', NOW + 600, NOW + 900, { sold: dearer }))).toBe('unknown-offer');
  // The offer was renewed at the same price.
  expect(problemOf(await ask('extend', NOW + 600, NOW + 900, { sold: same }))).toBe('answered');
});

test('a join is charged to the user of its card, and to the card itself where it has none', async () => {
  await open(SOLD);
  await fixture.desk.assignUser(card.id, '21323421');
  await fixture.restart();
  await fixture.join(card, NOW, NOW + 60);
  await fixture.goTo(NOW + 60);
  await fixture.desk.assignUser(card.id);
  await fixture.join(card, NOW + 60, NOW + 120);
  await fixture.goTo(NOW + 120);
  expect((await fixture.bills()).map(({ user }) => user)).toEqual(['21323421', '0a1b2c-02-00000001']);
});
