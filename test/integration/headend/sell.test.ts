import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { type HeadendFixture, readJson, startHeadend } from '../../support/headend/headend-fixture.ts';
import { ServiceCapture } from '../../support/headend/service-capture.ts';
import { SoftViewer } from '../../support/headend/soft-viewer.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { sourceOf } from '../../support/streams/test-sender.ts';

const SERVICE = 7;
const HOUR_PRICE = '5.00 USD/h';
const MEGABYTE_PRICE = '0.25 USD/MB';
const MINUTES_30 = 1800;
/** ms of the simulated clock: less than the sender's journal is ahead of it. */
const STEP = 10_000;

interface BillRow {
  readonly user: string;
  readonly seconds: number;
  readonly octets: string;
  readonly items: readonly { readonly part: string; readonly settlement: string; readonly charge: string }[];
  readonly charge: string;
  readonly amount: string;
  readonly isClosed: boolean;
}

let clock: SimulatedClock;
let capture: ServiceCapture;
let viewer: SoftViewer;

beforeEach(async () => {
  clock = new SimulatedClock(Date.UTC(2026, 11, 24, 20));
  capture = await ServiceCapture.start();
  viewer = await SoftViewer.start(1, 100_000_000n);
});

afterEach(async () => {
  await viewer.close();
  await capture.close();
});

/** A head-end with one session, which waits before the first packet: time stands still. */
async function sell(price: object, source: { octets: number; rate: number }): Promise<HeadendFixture> {
  const session = {
    name: 'main',
    source: 'memory',
    format: 'data',
    rate: source.rate,
    address: `${capture.address}:${capture.port}`,
    profile: { every: 50, closingTime: 1000 },
  };
  const service = { number: SERVICE, name: 'Harbour', price: { content: price }, sessions: [session] };
  const fixture = await startHeadend([service], {
    clock,
    openSource: async () => sourceOf([randomBytes(source.octets)]),
  });
  while (!fixture.log.some(({ msg }) => msg === 'a stream begins')) await turn();
  return fixture;
}

async function findOffer(fixture: HeadendFixture): Promise<string> {
  const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string }[] };
  return offers[0]!.id;
}

/** Lets the join end. @returns its bill, once it is there. */
async function waitForBill(fixture: HeadendFixture): Promise<BillRow> {
  await clock.advance(MINUTES_30 * 1000);
  for (;;) {
    const { bills } = readJson(await fixture.askOperator('GET', '/v1/operator/bills')) as { bills: BillRow[] };
    if (bills[0]?.isClosed === true) return bills[0];
    await clock.advance(1000);
  }
}

/** Joins for half an hour, watches all that is sent in it, and closes the session on the card. */
async function watchHalfAnHour(fixture: HeadendFixture, sent: number) {
  const now = Math.floor(clock.now() / 1000);
  const join = { service: SERVICE, offer: await findOffer(fixture), from: now, to: now + MINUTES_30 };
  expect(await viewer.request(fixture, 'join', join)).toMatchObject({ outcome: 'joined', from: now, to: join.to });
  // The last group waits its closing time. Time stands still until a change is on disk, as the journal waits for it.
  for (let passed = 0; passed < sent * 1000 + 5000; passed += STEP) {
    await clock.advance(STEP);
    await fixture.askOperator('DELETE', '/v1/operator/cards/0a1b2c-01-00000009/block');
  }
  await clock.advanceUntil(fixture.headend.ended());
  await turn();
  await viewer.follow(capture, SERVICE);
  return viewer.settle();
}

test('operators see who may decode what, of one service or of all', async () => {
  await using fixture = await sell({ price: HOUR_PRICE }, { octets: 100_000, rate: 10_000 });
  const now = Math.floor(clock.now() / 1000);
  const join = { service: SERVICE, offer: await findOffer(fixture), from: now, to: now + MINUTES_30 };
  expect(await viewer.request(fixture, 'join', join)).toMatchObject({ outcome: 'joined' });
  const path = '/v1/operator/members';
  const member = { card: formatCardId(viewer.cardId), from: now, to: join.to };
  for (const query of ['', `?service=${SERVICE}`]) {
    const { members } = readJson(await fixture.askOperator('GET', `${path}${query}`)) as { members: unknown[] };
    expect(members).toEqual([{ service: SERVICE, session: 'main', ...member }]);
  }
  expect(readJson(await fixture.askOperator('GET', `${path}?service=8`))).toEqual({ members: [] });
  const one = await fixture.askOperator('GET', `/v1/operator/services/${SERVICE}/sessions/main/members`);
  expect(readJson(one)).toEqual({ members: [member] });
});

describe('$5.00 an hour for half an hour is $2.50', () => {
  /** Half an hour less what is sent before the first packet, so that all of it lies in the join. */
  const source = { octets: 2_250_000, rate: 10_000 };

  test('by purse: the card took it, and the entry agrees', async () => {
    await using fixture = await sell({ price: HOUR_PRICE }, source);
    const receipt = await watchHalfAnHour(fixture, MINUTES_30);
    expect(viewer.refused).toBe(0);
    expect(receipt).toMatchObject({ amount: 2_500_000n, duration: 1_800_000 });
    expect(await waitForBill(fixture)).toMatchObject({
      seconds: 1800,
      charge: '2.50 USD',
      amount: '0.00 USD',
      items: [{ settlement: 'purse' }],
    });
  });

  test('by invoice: it is billed from the entry, and free on the card', async () => {
    await using fixture = await sell({ price: HOUR_PRICE, settlement: 'invoice' }, source);
    const receipt = await watchHalfAnHour(fixture, MINUTES_30);
    expect(receipt?.amount ?? 0n).toBe(0n);
    expect([viewer.opened > 1000, viewer.refused]).toEqual([true, 0]);
    expect(await waitForBill(fixture)).toMatchObject({
      seconds: 1800,
      amount: '2.50 USD',
      items: [{ settlement: 'invoice' }],
    });
  });
});

describe('$0.25 a megabyte for 25,000,000 octets is $6.25', () => {
  const source = { octets: 25_000_000, rate: 20_000_000 };

  test('by purse: the card took it, and the entry agrees', async () => {
    await using fixture = await sell({ price: MEGABYTE_PRICE }, source);
    const receipt = await watchHalfAnHour(fixture, 10);
    expect(viewer.refused).toBe(0);
    expect(receipt).toMatchObject({ amount: 6_250_000n, octets: 25_000_000 });
    expect(await waitForBill(fixture)).toMatchObject({
      octets: '25000000',
      charge: '6.25 USD',
      amount: '0.00 USD',
      items: [{ settlement: 'purse' }],
    });
  });

  test('by invoice: it is billed from the entry, and free on the card', async () => {
    await using fixture = await sell({ price: MEGABYTE_PRICE, settlement: 'invoice' }, source);
    const receipt = await watchHalfAnHour(fixture, 10);
    expect(receipt?.amount ?? 0n).toBe(0n);
    expect([viewer.opened > 100, viewer.refused]).toEqual([true, 0]);
    expect(await waitForBill(fixture)).toMatchObject({
      octets: '25000000',
      amount: '6.25 USD',
      items: [{ settlement: 'invoice' }],
    });
  });
});
