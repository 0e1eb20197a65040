import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TollcastError } from '../../../../apdu/errors.ts';
import { QUOTA } from '../../../../host/headend/requests/answered-requests.ts';
import type { CardStandings } from '../../../../host/headend/requests/request-ports.ts';
import {
  answerOf,
  DeskFixture,
  HandCard,
  HandKeys,
  problemOf,
  SOLD,
} from '../../../support/headend/request-desk-fixture.ts';
import { NOW } from '../../../support/headend/sample-offer.ts';

const standings = new Map<string, ReturnType<CardStandings['standingOf']>>();
const SLOTTED = { ...SOLD, sessionHash: '5b'.repeat(20), session: 'slots 1 10.0.0.1' };
const CARDS_ONLY = { ...SOLD, sessionHash: '5c'.repeat(20), session: 'cards 1 10.0.0.1', classes: ['card' as const] };
const OVER = { ...SOLD, sessionHash: '5d'.repeat(20), session: 'over 1 10.0.0.1', to: NOW };
const slots = { start: NOW - 100, length: 600, offset: 60 };
const card = new HandCard(1);
let fixture: DeskFixture;

beforeEach(async () => {
  standings.clear();
  fixture = await DeskFixture.open({
    sold: [SOLD, { ...SLOTTED, slots }, CARDS_ONLY, OVER],
    standings: { standingOf: (cardId) => standings.get(cardId) ?? 'good' },
  });
});

afterEach(() => fixture.close());

const ask = async (octets: Uint8Array) => problemOf(await fixture.desk.answer(octets));
const logged = () => fixture.store.selectFrom('requestLog').select(['cardId', 'kind', 'outcome']).execute();

describe('what is not a message of a card of ours changes nothing and is not logged', () => {
  test.each<[string, () => Uint8Array, string]>([
    ['nothing at all', () => new Uint8Array(0), 'malformed'],
    ['80 octets of zeros', () => new Uint8Array(80), 'malformed'],
    ['one octet too many', () => new Uint8Array([...card.sign('join', NOW, NOW + 60), 0]), 'malformed'],
    ["another issuer's card", () => new HandCard(1, { issuer: 1 }).sign('join', NOW, NOW + 60), 'foreign-issuer'],
    [
      'a card with keys of its own',
      () => new HandCard(1, { master: new Uint8Array(16) }).sign('join', NOW, NOW + 60),
      'wrong-signature',
    ],
    [
      'a request that was changed',
      () => {
        const octets = card.sign('join', NOW, NOW + 60);
        octets[23]! ^= 1;
        return octets;
      },
      'wrong-signature',
    ],
    [
      'a message of another kind',
      () => {
        const octets = card.sign('join', NOW, NOW + 60);
        octets[0] = 0x30;
        return octets;
      },
      'malformed',
    ],
  ])('%s', async (_, make, problem) => {
    expect(await ask(make())).toBe(problem);
    expect(await logged()).toEqual([]);
    expect(fixture.keys.granted).toEqual([]);
  });
});

test('a card that the issuer does not know, or has blocked, is refused until it does', async () => {
  const octets = card.sign('join', NOW, NOW + 60);
  standings.set(card.hex, 'unknown');
  expect(await ask(octets)).toBe('unknown-card');
  standings.set(card.hex, 'blocked');
  expect(await ask(octets)).toBe('blocked-card');
  standings.delete(card.hex);
  expect(await ask(octets)).toBe('answered');
});

test('a request id is good for one request', async () => {
  const requestId = new Uint8Array(8).fill(9);
  expect(await ask(card.sign('join', NOW, NOW + 60, { requestId }))).toBe('answered');
  expect(await ask(card.sign('join', NOW, NOW + 61, { requestId }))).toBe('replayed');
  // Another card may have the same.
  expect(await ask(new HandCard(2).sign('join', NOW, NOW + 60, { requestId }))).toBe('answered');
});

test('a clock that is more than 30 s off is told, whichever way', async () => {
  for (const octets of [card.sign('join', NOW - 31, NOW + 60), card.sign('leave', NOW + 31, NOW + 40)]) {
    const reply = await fixture.desk.answer(octets);
    expect(problemOf(reply)).toBe('skewed');
    expect(reply).toMatchObject({ problem: { now: NOW } });
  }
  expect(await ask(card.sign('join', NOW - 30, NOW + 60))).toBe('answered');
});

test('a card is answered 60 times a minute, and others meanwhile', async () => {
  for (let i = 0; i < QUOTA; i++) await fixture.desk.answer(card.sign('keyRequest', NOW, 0));
  const octets = card.sign('join', NOW, NOW + 600);
  expect(await ask(octets)).toBe('over-quota');
  expect(await ask(new HandCard(2).sign('join', NOW, NOW + 600))).toBe('answered');
  await fixture.goTo(NOW + 30);
  expect(await ask(octets)).toBe('over-quota');
  await fixture.goTo(NOW + 60);
  expect(await ask(card.sign('join', fixture.now, NOW + 600))).toBe('answered');
});

test('a request under no offer, an offer that has ended, or for another service is refused', async () => {
  expect(await ask(card.sign('join', NOW, NOW + 60, { sold: { ...SOLD, sessionHash: '00'.repeat(20) } }))).toBe(
    'unknown-offer',
  );
  expect(await ask(card.sign('join', NOW, NOW + 60, { sold: OVER }))).toBe('unknown-offer');
  expect(await ask(card.sign('join', NOW, NOW + 60, { sold: { ...SOLD, service: 8 } }))).toBe('unknown-offer');
});

test('a module of a class that the session does not accept is refused, and that is logged', async () => {
  expect(await ask(card.sign('join', NOW, NOW + 60, { sold: CARDS_ONLY }))).toBe('class-refused');
  expect(await ask(new HandCard(1, { moduleClass: 'card' }).sign('join', NOW, NOW + 60, { sold: CARDS_ONLY }))).toBe(
    'answered',
  );
  expect(await logged()).toMatchObject([{ outcome: 'class-refused' }, { outcome: 'joined' }]);
});

test('slots are counted where they are sold, and nowhere else', async () => {
  expect(await ask(card.sign('join', NOW, 2))).toBe('wrong-time');
  const joined = answerOf(await fixture.desk.answer(card.sign('join', NOW, 2, { sold: SLOTTED })));
  expect(joined).toMatchObject({ from: NOW, to: NOW + 1700, deadline: NOW + 1640 });
});

test('a member alone extends, leaves, asks for keys and stays', async () => {
  for (const kind of ['extend', 'leave', 'keyRequest', 'stay'] as const) {
    expect(await ask(card.sign(kind, NOW, kind === 'stay' || kind === 'keyRequest' ? 0 : NOW + 60))).toBe('not-joined');
  }
});

test('an extension ends later, a leave earlier, and a join ends after now', async () => {
  await fixture.join(card, NOW, NOW + 600);
  expect(await ask(card.sign('extend', NOW + 601, NOW + 700))).toBe('not-later');
  expect(await ask(card.sign('extend', NOW + 500, NOW + 600))).toBe('not-later');
  expect(await ask(card.sign('leave', NOW, NOW + 600))).toBe('not-earlier');
  expect(await ask(new HandCard(2).sign('join', NOW - 20, NOW - 10))).toBe('too-late');
});

test('a head-end without keys says so, and the same request is answered when it has some', async () => {
  let isReady = false;
  class LateKeys extends HandKeys {
    override grant(asked: Parameters<HandKeys['grant']>[0]): ReturnType<HandKeys['grant']> {
      if (!isReady) throw new TollcastError('GRANTS_ENDED', 'there are no keys yet');
      return super.grant(asked);
    }
  }
  await using stack = new AsyncDisposableStack();
  const late = await DeskFixture.open({ keys: new LateKeys() });
  stack.defer(() => late.close());
  const octets = card.sign('join', NOW, NOW + 60);
  expect(problemOf(await late.desk.answer(octets))).toBe('unavailable');
  expect(late.listed()).toEqual([]);
  isReady = true;
  expect(problemOf(await late.desk.answer(octets))).toBe('answered');
});

test('a desk that cannot write gives no key, and no answer any more', async () => {
  const running = fixture.desk.run(new AbortController().signal).catch((error: unknown) => error);
  await fixture.writer.close();
  expect(await ask(card.sign('join', NOW, NOW + 60))).toBe('unavailable');
  // Whoever runs it is told, and starts the program anew.
  expect(await running).toMatchObject({ code: 'STORE_FAILED' });
  expect(fixture.desk.failure).toMatchObject({ code: 'STORE_FAILED' });
});
