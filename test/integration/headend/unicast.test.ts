import { randomBytes } from 'node:crypto';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { type HeadendFixture, readJson, startHeadend } from '../../support/headend-fixture.ts';
import { ServiceCapture } from '../../support/service-capture.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { SoftViewer } from '../../support/soft-viewer.ts';
import { sourceOf } from '../../support/test-sender.ts';

const SERVICE = 7;
const SEGMENT = 60;
/** Octets a second. */
const RATE = 1250;

interface LogRow {
  readonly kind: string;
  readonly segment: number | null;
  readonly outcome: string;
}

let clock: SimulatedClock;
let capture: ServiceCapture;
let fixture: HeadendFixture;
let stays: SoftViewer;
let leaves: SoftViewer;
let outside: SoftViewer;

beforeEach(async () => {
  clock = new SimulatedClock(Date.UTC(2026, 11, 24, 20));
  capture = await ServiceCapture.start();
  const credit = 100_000_000n;
  [stays, leaves, outside] = [
    await SoftViewer.start(1, credit),
    await SoftViewer.start(2, credit),
    await SoftViewer.start(3, credit),
  ];
});

afterEach(async () => {
  await clock.advanceUntil(fixture[Symbol.asyncDispose]());
  await Promise.all([stays.close(), leaves.close(), outside.close()]);
  await capture.close();
});

async function start(strategy: 'list' | 'shared'): Promise<void> {
  const session = {
    name: 'main',
    source: 'memory',
    format: 'data',
    rate: 8 * RATE,
    address: `${capture.address}:${capture.port}`,
    profile: { every: 10, closingTime: 1000 },
    keys: { strategy, delivery: 'unicast', segment: SEGMENT, period: 30, grace: 0 },
  };
  const service = {
    number: SERVICE,
    name: 'Harbour',
    price: { content: { price: '5.00 USD/h' } },
    sessions: [session],
  };
  fixture = await startHeadend([service], {
    clock,
    openSource: async () => sourceOf([randomBytes(6 * SEGMENT * RATE)]),
  });
  while (!fixture.log.some(({ msg }) => msg === 'a stream begins')) await turn();
}

/** Every card takes what was sent so far. */
async function followAll(): Promise<void> {
  for (const viewer of [stays, leaves, outside]) await viewer.follow(capture, SERVICE);
}

async function advance(seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i++) await clock.advance(1000);
  // Until the sockets have all of it.
  for (let before = -1; before < capture.events.length; await sleep(20)) before = capture.events.length;
  await followAll();
}

async function ask(viewer: SoftViewer, kind: 'join' | 'keyRequest' | 'leave', to: number) {
  const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string }[] };
  const from = Math.floor(clock.now() / 1000);
  const answer = await viewer.request(fixture, kind, { service: SERVICE, offer: offers[0]!.id, from, to });
  if (typeof answer === 'string') throw new Error(`a ${kind} was refused: ${answer}`);
  return answer;
}

async function logOf({ cardId }: SoftViewer): Promise<string[]> {
  const path = `/v1/operator/log?card=${formatCardId(cardId)}`;
  const { log } = readJson(await fixture.askOperator('GET', path)) as { log: LogRow[] };
  return log.toReversed().map(({ kind, segment, outcome }) => `${kind} ${segment}: ${outcome}`);
}

test.each(['list', 'shared'] as const)(
  'by unicast, strategy %s: who asks plays on, a leaver gets the keys to its end, an outsider sees none',
  async (strategy) => {
    await start(strategy);
    const now = Math.floor(clock.now() / 1000);
    let openedToItsEnd = 0;
    let { keysUntil } = await ask(stays, 'join', now + 300);
    expect(keysUntil).toBe(now + SEGMENT);
    await ask(leaves, 'join', now + 300);
    await advance(10);
    // It leaves in the segment after this one, and has paid to then.
    await ask(leaves, 'leave', now + SEGMENT + 50);
    for (let next = 2; next <= 4; next++) {
      if (next === 4) {
        await advance(now + SEGMENT + 50 - Math.floor(clock.now() / 1000));
        openedToItsEnd = leaves.opened;
        expect(openedToItsEnd).toBe(stays.opened);
      }
      await advance(keysUntil! - 20 - Math.floor(clock.now() / 1000));
      ({ keysUntil } = await ask(stays, 'keyRequest', 0));
      expect(keysUntil).toBe(now + next * SEGMENT);
      if (next < 4) await ask(leaves, 'keyRequest', 0);
      else await expect(ask(leaves, 'keyRequest', 0)).rejects.toThrow('not-joined');
    }
    await advance(30);
    expect([stays.refused, outside.opened]).toEqual([0, 0]);
    expect(stays.opened).toBeGreaterThan(2 * SEGMENT);
    // A group that began in its time may come after it.
    expect(openedToItsEnd).toBeGreaterThan(SEGMENT + 20);
    expect(leaves.opened - openedToItsEnd).toBeLessThanOrEqual(1);
    expect(leaves.refused).toBeGreaterThan(SEGMENT);
    expect(new Set(capture.messages.map((message) => message[0]))).toEqual(new Set([KIND.content]));
    const [first, second, third, fourth] = await segments();
    expect(await logOf(stays)).toEqual([
      `join ${first}: joined`,
      `keyRequest ${first}: keys`,
      `keyRequest ${second}: keys`,
      `keyRequest ${second}: keys`,
      `keyRequest ${third}: keys`,
      `keyRequest ${third}: keys`,
      `keyRequest ${fourth}: keys`,
    ]);
    expect(await logOf(leaves)).toEqual([
      `join ${first}: joined`,
      'leave null: left',
      `keyRequest ${first}: keys`,
      `keyRequest ${second}: keys`,
      `keyRequest ${second}: keys`,
      'keyRequest null: not-joined',
    ]);
    expect(await logOf(outside)).toEqual([]);
  },
  30_000,
);

/** Ids of the segments that a log of all names, in their order. */
async function segments(): Promise<number[]> {
  const { log } = readJson(await fixture.askOperator('GET', '/v1/operator/log')) as { log: LogRow[] };
  const ids = log.flatMap(({ segment }) => (segment === null ? [] : [segment]));
  return [...new Set(ids)].toSorted((a, b) => a - b);
}
