import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { OPEN_REQUEST_END } from '../../../../apdu/layout/requests.ts';
import { fromHex } from '../../../../apdu/octets.ts';
import { type Answer, parseAnswer } from '../../../../host/contract/answers/answer.ts';
import { type HeadendStore, openHeadendStore } from '../../../../host/store/headend/headend-store.ts';
import { runBilling } from '../../../support/headend/billing/billing-commands.ts';
import { type HeadendFixture, readJson, startHeadend } from '../../../support/headend/headend-fixture.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { SoftViewer } from '../../../support/headend/soft-viewer.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { sourceOf } from '../../../support/streams/test-sender.ts';

const START = Date.UTC(2026, 10, 30, 23, 50);
const FROM = START / 1000;
/** Seconds of a segment: a minute of delivery comes to 0.10 USD. */
const SEGMENT = 60;
/** Octets a second. */
const RATE = 1250;
const PRICE = {
  content: { price: '0.25 USD/programme', settlement: 'invoice' },
  delivery: { price: '6.00 USD/h', settlement: 'invoice' },
};

let clock: SimulatedClock;
let capture: ServiceCapture;
let fixture: HeadendFixture;
let store: HeadendStore;
let viewer: SoftViewer;
let config: string;
let card: string;
let offer: string;

const at = () => Math.floor(clock.now() / 1000);
const joinUntil = (to: number) => viewer.request(fixture, 'join', { service: 7, offer, from: at(), to });

/** Asks without loading what comes. */
async function ask(kind: 'keyRequest' | 'leave'): Promise<Answer> {
  const to = kind === 'leave' ? at() : OPEN_REQUEST_END;
  const wish = { service: 7, from: at(), to, requestId: randomBytes(8), sessionHash: fromHex(offer) };
  const body = await viewer.module.signRequest(kind, wish);
  const answer = await fixture.ask('POST', '/v1/requests', {
    body,
    headers: { 'content-type': 'application/octet-stream' },
  });
  return parseAnswer(answer.body);
}

const billing = (...args: string[]) => runBilling(...args, '--config', config);

async function goTo(seconds: number): Promise<void> {
  while (at() < seconds) await clock.advance(1000);
}

/** Bills, once there are so many: the biller looks once a minute. */
async function billsOf(count: number) {
  for (;;) {
    const rows = await store.selectFrom('bill').selectAll().orderBy('entryId').execute();
    if (rows.length >= count)
      return rows.map(({ user, timeFrom, seconds, amount }) => [user, timeFrom, seconds, amount]);
    await clock.advance(1000);
  }
}

beforeAll(async () => {
  clock = new SimulatedClock(START);
  capture = await ServiceCapture.start();
  viewer = await SoftViewer.start(1, 0n);
  card = formatCardId(viewer.cardId);
  const address = `${capture.address}:${capture.port}`;
  const profile = { every: 10, closingTime: 1000 };
  const keys = { strategy: 'single', segment: SEGMENT, period: 30 };
  const session = { name: 'main', source: 'memory', format: 'data', rate: 8 * RATE, address, profile, keys };
  const service = { number: 7, name: 'Harbour', billing: 'log', price: PRICE, sessions: [session] };
  fixture = await startHeadend([service], {
    clock,
    openSource: async () => sourceOf([randomBytes(4 * SEGMENT * RATE)]),
  });
  const { directory, port } = fixture;
  config = join(directory, 'tv.json');
  const places = { listen: `127.0.0.1:${port}`, state: `${directory}/state`, issuer: `${directory}/issuer` };
  await writeFile(config, JSON.stringify({ ...places, services: [] }));
  store = await openHeadendStore(join(directory, 'state'));
  while (!fixture.log.some(({ msg }) => msg === 'a stream begins')) await turn();
  const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string }[] };
  offer = offers[0]!.id;
}, 60_000);

afterAll(async () => {
  await store.destroy();
  await clock.advanceUntil(fixture[Symbol.asyncDispose]());
  await viewer.close();
  await capture.close();
});

test('a card that nobody knows is served, and no list and no entry has it', async () => {
  expect(await joinUntil(FROM + 1800)).toMatchObject({
    outcome: 'joined',
    from: FROM,
    to: FROM + 1800,
    keysUntil: FROM + SEGMENT,
  });
  await goTo(FROM + 10);
  await turn();
  await viewer.follow(capture, 7);
  expect(viewer.opened).toBeGreaterThan(0);
  // The key of now again, and in the last 30 s the next one too.
  expect(await ask('keyRequest')).toMatchObject({ outcome: 'keys', keysUntil: FROM + SEGMENT });
  await goTo(FROM + SEGMENT - 20);
  expect(await ask('keyRequest')).toMatchObject({ outcome: 'keys', keysUntil: FROM + 2 * SEGMENT });
  await goTo(FROM + SEGMENT + 30);
  expect(await ask('leave')).toMatchObject({ outcome: 'left', from: at(), to: at() });
  for (const table of ['member', 'chargingEntry'] as const) {
    expect(await store.selectFrom(table).selectAll().execute()).toEqual([]);
  }
  const log = await store.selectFrom('requestLog').selectAll().orderBy('id').execute();
  expect(log.map(({ kind, outcome, timeFrom, timeTo }) => [kind, outcome, timeFrom - FROM, timeTo! - FROM])).toEqual([
    ['join', 'sold', 0, SEGMENT],
    ['keyRequest', 'sold', 10, SEGMENT],
    ['keyRequest', 'sold', SEGMENT - 20, SEGMENT],
    ['keyRequest', 'sold', SEGMENT, 2 * SEGMENT],
    ['leave', 'left', SEGMENT + 30, SEGMENT + 30],
  ]);
});

test('each segment is billed once when it is over, to its end', async () => {
  expect(await billsOf(2)).toEqual([
    [card, FROM, SEGMENT, 350_000n],
    [card, FROM + SEGMENT, SEGMENT, 350_000n],
  ]);
  expect(await billing('report', '--account', `user:${card}`)).toContain('debit  0.70 USD');
});

test('read again from its first row, by a program that was started anew, the log makes no further entry', async () => {
  const entries = () => store.selectFrom('ledgerEntry').selectAll().orderBy('id').execute();
  const before = await entries();
  await store.deleteFrom('logMark').execute();
  await store.deleteFrom('billedSegment').execute();
  await clock.advanceUntil(fixture.restart());
  const isRead = async () => (await store.selectFrom('billedSegment').selectAll().execute()).length === 2;
  while (!(await isRead())) await clock.advance(1000);
  expect(await entries()).toEqual(before);
  expect(await billsOf(2)).toHaveLength(2);
});

test('each cent is followed to the rows of the log that it comes from', async () => {
  const [first] = await store.selectFrom('ledgerEntry').select(['id', 'source']).orderBy('id').execute();
  const text = await billing('explain', String(first!.id));
  expect(text).toContain('content: 0.25 USD by invoice');
  expect(text).toContain('delivery: 0.10 USD by invoice');
  expect(text).toMatch(
    new RegExp(
      `request ${first!.source}: 2026-11-30T23:50:00Z, card ${card}: join, sold: segment \\d+ from 2026-11-30`,
    ),
  );
  expect(text.match(/: keyRequest, sold: segment \d+ from /g)).toHaveLength(2);
});

test('a month that is closed has all that was sold in it', async () => {
  while (clock.now() < Date.UTC(2026, 11, 1)) await clock.advance(10_000);
  await billing('close', '2026-11');
  await billing('invoice', '2026-11');
  expect(await billing('show', '1')).toContain('to be paid 0.70 USD');
});
