import { randomBytes } from 'node:crypto';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type KeyMessage, parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { splitDatagram } from '../../../support/cards/keys-by-hand.ts';
import { type HeadendFixture, readJson, startHeadend } from '../../../support/headend/headend-fixture.ts';
import { type RecordedGroup, readGroup, takeApart } from '../../../support/headend/recording.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { SoftViewer } from '../../../support/headend/soft-viewer.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { sourceOf } from '../../../support/streams/test-sender.ts';

/**
 * How keys come to those who asked for them: `serve` sends two sessions of one service, whose segment keys go by
 * multicast and by unicast, over a change of segment. What plain sockets recorded of it is looked at.
 */
const SERVICE = 7;
const RATE = 52_640;
const SEGMENT = 120;
const PERIOD = 40;
const GRACE = 5;
const LENGTH = 200;

interface Sent {
  readonly capture: ServiceCapture;
  readonly viewer: SoftViewer;
}

let clock: SimulatedClock;
let fixture: HeadendFixture;
let begun: number;
const sent = {} as Record<'multicast' | 'unicast', Sent>;
/** A member that hears nothing of the second segment key, and so has the next content key under the first alone. */
let deaf: SoftViewer;

beforeAll(async () => {
  clock = new SimulatedClock(Date.UTC(2026, 11, 24, 20));
  for (const [serial, delivery] of (['multicast', 'unicast'] as const).entries()) {
    sent[delivery] = { capture: await ServiceCapture.start(), viewer: await SoftViewer.start(1 + serial, 0n) };
  }
  deaf = await SoftViewer.start(3, 0n);
  const sessions = Object.entries(sent).map(([delivery, { capture }]) => ({
    name: delivery,
    source: delivery,
    format: 'data',
    rate: RATE,
    address: `${capture.address}:${capture.port}`,
    profile: { every: 5, closingTime: 1000 },
    keys: { delivery, period: PERIOD, segment: SEGMENT, grace: GRACE },
  }));
  const price = { content: { price: '5.00 USD/h', settlement: 'invoice' } };
  fixture = await startHeadend([{ number: SERVICE, name: 'Harbour', price, sessions }], {
    clock,
    openSource: async () => sourceOf([randomBytes((RATE / 8) * (LENGTH + 10))]),
  });
  while (fixture.log.filter(({ msg }) => msg === 'a stream begins').length < 2) await turn();
  begun = Math.floor(clock.now() / 1000);
  const offers = (await findOffers()).map(({ id, session }) => ({ id, session }));
  const origins = (
    readJson(await fixture.askOperator('GET', '/v1/operator/services')) as {
      services: { sessions: { name: string; origin: string }[] }[];
    }
  ).services[0]!.sessions;
  const offerOf = (name: string) => {
    const { origin } = origins.find((one) => one.name === name)!;
    return offers.find(({ session }) => session === origin)!.id;
  };
  const ask = (viewer: SoftViewer, name: string, kind: 'join' | 'keyRequest') => {
    const from = Math.floor(clock.now() / 1000);
    return viewer.request(fixture, kind, {
      service: SERVICE,
      offer: offerOf(name),
      from,
      to: kind === 'join' ? begun + 2 * LENGTH : 0,
    });
  };
  await ask(sent.multicast.viewer, 'multicast', 'join');
  await ask(sent.unicast.viewer, 'unicast', 'join');
  await ask(deaf, 'multicast', 'join');
  // In the last 30 s of a segment the next key is there for who asks.
  await goTo(SEGMENT - 15);
  await ask(sent.unicast.viewer, 'unicast', 'keyRequest');
  await goTo(LENGTH);
}, 60_000);

afterAll(async () => {
  await clock.advanceUntil(fixture[Symbol.asyncDispose]());
  for (const { capture, viewer } of Object.values(sent)) {
    await viewer.close();
    await capture.close();
  }
  await deaf.close();
});

async function findOffers(): Promise<{ id: string; session: string }[]> {
  return (readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string; session: string }[] }).offers;
}

async function goTo(second: number): Promise<void> {
  while (clock.now() < (begun + second) * 1000) {
    await clock.advance(1000);
    // What is sent is kept on disk first, in a thread that no clock of a test moves.
    await sleep(2);
  }
  for (const { viewer, capture } of Object.values(sent)) {
    await capture.settle();
    await viewer.follow(capture, SERVICE);
  }
}

/** Single key messages of the key port, each once, in their order. */
const announced = ({ capture }: Sent): KeyMessage[] => takeApart(capture.messages).map(parseKeyMessage);
const kindOf = (messages: readonly KeyMessage[], kind: number) => messages.filter((message) => message.kind === kind);
const groupsOf = ({ capture }: Sent): RecordedGroup[] => capture.groups.map(([first]) => readGroup(first!));

/** Whether each content key was on the key port before the first group that it opens. */
function isAlwaysAhead({ capture }: Sent): boolean {
  const known = new Set<number>();
  return capture.events.every(({ port, octets }) => {
    if (port === 'media') return (octets.at(-4)! & 0x80) === 0 || known.has(readGroup(octets).contentKeyId);
    for (const { kind, keyId } of takeApart(splitDatagram(octets)).map(parseKeyMessage))
      if (kind === KIND.content) known.add(keyId);
    return true;
  });
}

test('the manager chooses how members get the segment keys, and says why', () => {
  const chosen = fixture.log.map(({ msg }) => String(msg)).filter((msg) => msg.startsWith('key strategy'));
  const why = 'key strategy list: it is settled by invoice, so who leaves must get no further key';
  expect(chosen).toEqual([why, why]);
});

test('a segment key comes by multicast, once under the service key of each member', () => {
  const segments = kindOf(announced(sent.multicast), KIND.segment);
  expect(new Set(segments.map(({ parentKind }) => parentKind))).toEqual(new Set([KIND.service]));
  const ids = [...new Set(segments.map(({ keyId }) => keyId))];
  expect(ids).toHaveLength(2);
  for (const id of ids) {
    const parents = segments.filter(({ keyId }) => keyId === id).map(({ parentId }) => parentId);
    expect(parents).toHaveLength(2);
    expect(new Set(parents).size).toBe(2);
  }
});

test('a segment key comes by unicast, to the member that asks, under its service key', () => {
  expect(kindOf(announced(sent.unicast), KIND.segment)).toEqual([]);
  const given = sent.unicast.viewer.given.map((octets) => parseKeyMessage(octets));
  const [service] = kindOf(given, KIND.service);
  const segments = kindOf(given, KIND.segment);
  expect(new Set(segments.map(({ keyId }) => keyId)).size).toBe(2);
  for (const { parentKind, parentId } of segments)
    expect([parentKind, parentId]).toEqual([KIND.service, service!.keyId]);
  expect(sent.unicast.viewer.openedAt).toEqual(groupsOf(sent.unicast).map(({ mediaTime }) => mediaTime));
});

test('a content key is multicast under the segment key, always ahead of what it opens', () => {
  for (const session of Object.values(sent)) {
    const contents = kindOf(announced(session), KIND.content);
    expect(new Set(contents.map(({ keyId }) => keyId)).size).toBeGreaterThanOrEqual(LENGTH / PERIOD);
    expect(new Set(contents.map(({ parentKind }) => parentKind))).toEqual(new Set([KIND.segment]));
    expect(isAlwaysAhead(session)).toBe(true);
  }
});

test('at a change of segment the next content key is multicast twice, under this segment key and the next', () => {
  const all = announced(sent.multicast);
  const [first, second] = new Set(kindOf(all, KIND.segment).map(({ keyId }) => keyId));
  const next = kindOf(all, KIND.content).find(({ parentId }) => parentId === second)!;
  const copies = kindOf(all, KIND.content).filter(({ keyId }) => keyId === next.keyId);
  expect(copies.map(({ parentId }) => parentId).toSorted((a, b) => a - b)).toEqual([first, second]);
});

test('the copy under the old segment key opens for the grace, and no longer', async () => {
  const { capture, viewer } = sent.multicast;
  const groups = groupsOf(sent.multicast);
  const change = begun + SEGMENT;
  const [, second] = new Set(kindOf(announced(sent.multicast), KIND.segment).map(({ keyId }) => keyId));
  const isHeard = (octets: Uint8Array) => {
    const { kind, keyId, parentId } = parseKeyMessage(octets);
    return !(kind === KIND.segment && keyId === second) && parentId !== second;
  };
  const events: ServiceCapture['events'] = [];
  for (const { port, octets } of capture.events) {
    const heard = port === 'media' ? [octets] : takeApart(splitDatagram(octets)).filter(isHeard);
    events.push(...heard.map((one) => ({ port, octets: one })));
  }
  await deaf.follow({ events }, SERVICE);
  const until = (end: number) => groups.map(({ mediaTime }) => mediaTime).filter((mediaTime) => mediaTime < end);
  expect(viewer.openedAt).toEqual(until(Infinity));
  expect(deaf.openedAt).toEqual(until(change + GRACE));
});
