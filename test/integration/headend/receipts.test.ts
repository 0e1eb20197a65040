import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseProblem } from '../../../host/contract/answers/problem.ts';
import { type HeadendFixture, readJson, startHeadend } from '../../support/headend/headend-fixture.ts';
import { ServiceCapture } from '../../support/headend/service-capture.ts';
import { SoftViewer } from '../../support/headend/soft-viewer.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { sourceOf } from '../../support/streams/test-sender.ts';

const SERVICE = 7;

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

/** A head-end that sends 1,000,000 octets at 0.25 USD/MB. */
async function sell(): Promise<HeadendFixture> {
  const session = {
    name: 'main',
    source: 'memory',
    format: 'data',
    rate: 8_000_000,
    address: `${capture.address}:${capture.port}`,
    profile: { every: 50, closingTime: 1000 },
  };
  const price = { content: { price: '0.25 USD/MB' } };
  const service = { number: SERVICE, name: 'Harbour', price, sessions: [session] };
  const fixture = await startHeadend([service], {
    clock,
    openSource: async () => sourceOf([randomBytes(1_000_000)]),
  });
  while (!fixture.log.some(({ msg }) => msg === 'a stream begins')) await turn();
  return fixture;
}

/** Joins, watches all that is sent, and closes the session on the card. */
async function watchAll(fixture: HeadendFixture): Promise<void> {
  const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string }[] };
  const now = Math.floor(clock.now() / 1000);
  await viewer.request(fixture, 'join', { service: SERVICE, offer: offers[0]!.id, from: now, to: now + 1800 });
  await clock.advance(6000);
  await clock.advanceUntil(fixture.headend.ended());
  await turn();
  await viewer.follow(capture, SERVICE);
  expect(await viewer.settle()).toMatchObject({ number: 1, amount: 250_000n, octets: 1_000_000 });
}

async function reconcile(fixture: HeadendFixture): Promise<Record<string, unknown>> {
  return readJson(await fixture.askOperator('GET', '/v1/operator/reconciliation'));
}

test('one card, one receipt: delivered over the API, kept, acknowledged; again, and nothing changes', async () => {
  await using fixture = await sell();
  await watchAll(fixture);
  expect((await viewer.purse()).receiptsDue).toBe(1);
  const octets = await viewer.receipt(1);
  expect(await viewer.deliver(fixture)).toBe(1);
  expect((await viewer.purse()).receiptsDue).toBe(0);
  expect(await viewer.deliver(fixture)).toBe(0);

  const headers = { 'content-type': 'application/octet-stream' };
  const again = await fixture.ask('POST', '/v1/receipts', { body: octets, headers });
  expect([again.status, again.body.length]).toEqual([200, 32]);
  const forged = octets.slice();
  forged[60]! ^= 1;
  const refused = await fixture.ask('POST', '/v1/receipts', { body: forged, headers });
  expect([refused.status, parseProblem(refused.body).code]).toEqual([403, 'wrong-signature']);
  expect(await reconcile(fixture)).toEqual({
    totals: [{ service: SERVICE, currency: 'USD', receipts: 1, octets: '1000000', amount: '250000', torn: '0' }],
    differences: [],
    disputes: [],
    isCut: false,
  });
  const long = await fixture.ask('POST', '/v1/receipts', { body: new Uint8Array(33 * 112), headers });
  expect(long.status).toBe(413);
});
