import { randomBytes } from 'node:crypto';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { isPersonal, KIND } from '../../../../apdu/decode-module/kinds.ts';
import { type HeadendFixture, readJson, startHeadend } from '../../../support/headend/headend-fixture.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { SoftViewer } from '../../../support/headend/soft-viewer.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { sourceOf } from '../../../support/streams/test-sender.ts';

const SERVICE = 7;
const SEGMENT = 60;
/** Octets a second. */
const RATE = 1250;

const WHY = {
  list: 'the operator asks for it',
  shared: 'the operator asks for it',
  single: 'the operator sells each segment by itself',
};

/** ms since 1970. */
const START = Date.UTC(2026, 11, 24, 20);

let clock: SimulatedClock;
let capture: ServiceCapture;
let fixture: HeadendFixture;
let stays: SoftViewer;
let leaves: SoftViewer;
let outside: SoftViewer;

beforeEach(async () => {
  clock = new SimulatedClock(START);
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

async function start(strategy: 'list' | 'shared' | 'single'): Promise<void> {
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
  // Until it sends: time stands still while it opens its sockets.
  while (capture.keys.length === 0) await turn();
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

/** @returns until when it has keys, or the code of the problem. */
async function ask(viewer: SoftViewer, kind: 'join' | 'keyRequest' | 'leave', to = 0): Promise<number | string> {
  const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string }[] };
  const from = Math.floor(clock.now() / 1000);
  const answer = await viewer.request(fixture, kind, { service: SERVICE, offer: offers[0]!.id, from, to });
  return typeof answer === 'string' ? answer : (answer.keysUntil ?? 0);
}

const isPurchase = ({ parentKind }: { parentKind: number }) => isPersonal(parentKind);

/** Ids of the segments whose keys a card was given, as the log has it. */
async function segmentsOf({ cardId }: SoftViewer): Promise<number[]> {
  const path = `/v1/operator/log?card=${formatCardId(cardId)}`;
  const { log } = readJson(await fixture.askOperator('GET', path)) as { log: { segment: number | null }[] };
  const ids = log.flatMap(({ segment }) => (segment === null ? [] : [segment]));
  return [...new Set(ids)].toSorted((a, b) => a - b);
}

test.each(['list', 'shared', 'single'] as const)(
  'by unicast, strategy %s: who asks plays on, a leaver gets the keys to its end, an outsider sees none',
  { timeout: 60_000 },
  async (strategy) => {
    await start(strategy);
    const now = START / 1000;
    const end = now + SEGMENT + 50;
    const until: (number | string)[] = [await ask(stays, 'join', now + 400), await ask(leaves, 'join', now + 400)];
    expect(until).toEqual([now + SEGMENT, now + SEGMENT]);
    await advance(10);
    // It leaves in the segment after this one, and has paid to then.
    await ask(leaves, 'leave', end);
    for (let time = 10; time < 5 * SEGMENT; time += 5) {
      await advance(5);
      for (const [i, viewer] of [stays, leaves].entries()) {
        const keysUntil = until[i]!;
        const isDue = typeof keysUntil === 'number' && keysUntil < now + time + 20;
        if (isDue) until[i] = await ask(viewer, 'keyRequest');
      }
    }
    expect(until[1]).toBe('not-joined');
    // What came under a card's own key.
    const purchased = new Set(
      [...stays.given, ...leaves.given]
        .map(parseKeyMessage)
        .filter(isPurchase)
        .map(({ kind }) => kind),
    );
    const chosen = fixture.log.map(({ msg }) => String(msg)).find((msg) => msg.startsWith('key strategy'));
    expect(chosen).toBe(`key strategy ${strategy}: ${WHY[strategy]}`);
    expect(purchased).toEqual(new Set([strategy === 'single' ? KIND.segment : KIND.service]));
    const [first, second, ...later] = await segmentsOf(stays);
    // A sender that the clock has left behind may be in an earlier segment still.
    expect(later.length).toBeGreaterThan(0);
    expect(await segmentsOf(leaves)).toEqual([first, second]);
    expect(await segmentsOf(outside)).toEqual([]);
    expect([stays.refused, outside.opened]).toEqual([0, 0]);
    expect([leaves.opened > 0, leaves.refused > 0, leaves.opened < stays.opened]).toEqual([true, true, true]);
    expect(new Set(capture.messages.map((message) => message[0]))).toEqual(new Set([KIND.content]));
  },
);
