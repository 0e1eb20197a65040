import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { answerOf, DeskFixture, HandCard, problemOf, SOLD } from '../../../support/headend/request-desk-fixture.ts';
import { NOW } from '../../../support/headend/sample-offer.ts';

const KEPT_ALIVE = { ...SOLD, keepAlive: 60 };
const card = new HandCard(1);
const other = new HandCard(2);
let fixture: DeskFixture;

const open = (sold = SOLD) => DeskFixture.open({ sold: [sold], mode: 'direct' });

beforeEach(async () => {
  fixture = await open();
});

afterEach(() => fixture.close());

const tables = async () => ({
  members: await fixture.store.selectFrom('member').selectAll().execute(),
  entries: await fixture.store.selectFrom('chargingEntry').selectAll().execute(),
  numbers: await fixture.store.selectFrom('cardNumber').selectAll().execute(),
  log: await fixture.store.selectFrom('requestLog').selectAll().execute(),
});

test('a card that was never seen before asks, is logged and served; before that, nothing knows of it', async () => {
  expect(await tables()).toEqual({ members: [], entries: [], numbers: [], log: [] });
  const joined = answerOf(await fixture.desk.answer(card.sign('join', NOW, NOW + 600)));
  expect(joined.messages).toHaveLength(1);
  const { log, members } = await tables();
  expect(members).toHaveLength(1);
  expect(log).toEqual([
    {
      id: 1,
      at: NOW,
      cardId: card.hex,
      kind: 'join',
      service: 7,
      session: SOLD.session,
      segmentId: 5,
      timeFrom: NOW,
      timeTo: NOW + 600,
      requestId: joined.requestId,
      outcome: 'joined',
    },
  ]);
});

describe('confirmation of the first key', () => {
  test('in time: the member stays', async () => {
    const joined = answerOf(await fixture.desk.answer(card.sign('join', NOW, NOW + 600)));
    await fixture.goTo(NOW + 29);
    expect(answerOf(await fixture.desk.answer(card.confirm(joined.messages[0]!)))).toMatchObject({
      outcome: 'confirmed',
      to: NOW + 600,
    });
    await fixture.goTo(NOW + 599);
    expect(fixture.listed()).toEqual([card.hex]);
  });

  test('the same confirm again changes nothing', async () => {
    const joined = await fixture.join(card, NOW, NOW + 600);
    const again = await fixture.desk.answer(card.confirm(joined.messages[0]!));
    expect(answerOf(again)).toMatchObject({ outcome: 'confirmed' });
  });

  test('not in time: off the list, the others get a new key, and the time until then is owed', async () => {
    await fixture.desk.answer(card.sign('join', NOW, NOW + 600));
    await fixture.join(other, NOW, NOW + 600);
    await fixture.goTo(NOW + 30);
    expect(fixture.listed()).toEqual([other.hex]);
    expect(fixture.keys.ended).toMatchObject([{ cardId: card.hex, to: NOW + 30, reason: 'unconfirmed' }]);
    expect(await fixture.bills()).toMatchObject([{ seconds: 30 }]);
    expect((await tables()).log.at(-1)).toMatchObject({ kind: 'confirm time-out', outcome: 'ended', timeTo: NOW + 30 });
    expect(problemOf(await fixture.desk.answer(card.sign('keyRequest', fixture.now, 0)))).toBe('not-joined');
  });

  test('the time for it runs over a restart', async () => {
    await fixture.desk.answer(card.sign('join', NOW, NOW + 600));
    await fixture.restart();
    await fixture.goTo(NOW + 30);
    expect(fixture.listed()).toEqual([]);
  });

  test('of a join to come: it runs from the start', async () => {
    await fixture.desk.answer(card.sign('join', NOW + 100, NOW + 600));
    await fixture.goTo(NOW + 129);
    expect(fixture.listed()).toEqual([card.hex]);
    await fixture.goTo(NOW + 130);
    expect(fixture.listed()).toEqual([]);
  });
});

describe('keep-alive', () => {
  beforeEach(async () => {
    await fixture.close();
    fixture = await open(KEPT_ALIVE);
  });

  test('a silent member is dropped, and one that stays is not', async () => {
    await fixture.join(card, NOW, NOW + 600);
    await fixture.join(other, NOW, NOW + 600);
    for (const seconds of [50, 100, 150]) {
      await fixture.goTo(NOW + seconds);
      await fixture.desk.answer(other.sign('stay', fixture.now, 0));
    }
    expect(fixture.listed()).toEqual([other.hex]);
    expect(fixture.keys.ended).toMatchObject([{ cardId: card.hex, reason: 'silent' }]);
    expect(await fixture.bills()).toMatchObject([{ seconds: 100 }]);
  });

  test('to the second: 60 s after it was last heard of', async () => {
    await fixture.join(card, NOW, NOW + 600);
    await fixture.goTo(NOW + 59);
    expect(fixture.listed()).toEqual([card.hex]);
    await fixture.goTo(NOW + 60);
    expect(fixture.listed()).toEqual([]);
    expect(await fixture.bills()).toMatchObject([{ seconds: 60 }]);
  });

  test('every request counts as being heard of', async () => {
    await fixture.join(card, NOW, NOW + 600);
    await fixture.goTo(NOW + 50);
    await fixture.desk.answer(card.sign('keyRequest', fixture.now, 0));
    await fixture.goTo(NOW + 100);
    expect(fixture.listed()).toEqual([card.hex]);
  });

  test('after a restart every member is given its time anew, as nobody listened meanwhile', async () => {
    await fixture.join(card, NOW, NOW + 600);
    await fixture.clock.advance(300_000);
    await fixture.restart();
    await fixture.goTo(NOW + 359);
    expect(fixture.listed()).toEqual([card.hex]);
    await fixture.goTo(NOW + 360);
    expect(fixture.listed()).toEqual([]);
  });
});

describe('leaving', () => {
  test('at once: off the list, billing stops and is logged, the others get a new key', async () => {
    await fixture.join(card, NOW, NOW + 600);
    await fixture.join(other, NOW, NOW + 600);
    await fixture.goTo(NOW + 100);
    const left = answerOf(await fixture.desk.answer(card.sign('leave', NOW + 100, NOW + 100)));
    expect(left).toMatchObject({ outcome: 'left', from: NOW, to: NOW + 100, messages: [], charge: { seconds: 100 } });
    expect(fixture.listed()).toEqual([other.hex]);
    expect(await fixture.bills()).toMatchObject([{ seconds: 100 }]);
    expect((await tables()).log.at(-1)).toMatchObject({ kind: 'leave', at: NOW + 100, timeTo: NOW + 100 });
    expect(fixture.keys.ended).toMatchObject([{ cardId: card.hex, to: NOW + 100, hasLeaveRecord: false }]);
  });

  test('by a clock that is behind: billing stops when the leave came', async () => {
    await fixture.join(card, NOW, NOW + 600);
    await fixture.goTo(NOW + 100);
    const left = answerOf(await fixture.desk.answer(card.sign('leave', NOW + 80, NOW + 80)));
    expect(left.to).toBe(NOW + 100);
  });

  test('a member that leaves gets keys to the end that it has paid to, and none after', async () => {
    await fixture.join(card, NOW, NOW + 600);
    await fixture.desk.answer(card.sign('leave', NOW, NOW + 300));
    const kinds = ['keyRequest', 'join'] as const;
    for (const kind of kinds) {
      const { to, messages } = answerOf(await fixture.desk.answer(card.sign(kind, NOW, NOW + 300)));
      expect([to, ...messages.map((octets) => parseKeyMessage(octets).to)]).toEqual([NOW + 300, NOW + 300]);
    }
    expect((await tables()).members).toMatchObject([{ state: 'leaving', timeTo: NOW + 300 }]);
    await fixture.goTo(NOW + 300);
    expect(fixture.listed()).toEqual([]);
    expect(problemOf(await fixture.desk.answer(card.sign('keyRequest', NOW + 300, 0)))).toBe('not-joined');
  });

  test('and joining again before the end goes on with the same entry; after it there is a new one', async () => {
    await fixture.join(card, NOW, NOW + 600);
    await fixture.desk.answer(card.sign('leave', NOW, NOW + 300));
    expect(await fixture.join(card, NOW, NOW + 400)).toMatchObject({ outcome: 'extended', to: NOW + 400 });
    expect(fixture.desk.entries()).toHaveLength(1);
    await fixture.goTo(NOW + 400);
    expect(await fixture.join(card, NOW + 400, NOW + 500)).toMatchObject({ outcome: 'joined', from: NOW + 400 });
    await fixture.goTo(NOW + 500);
    expect(await fixture.bills()).toMatchObject([{ seconds: 400 }, { seconds: 100 }]);
  });
});

describe('a stolen card', () => {
  test('is evicted from all sessions by one call, and asks in vain until it is let in again', async () => {
    await fixture.close();
    const second = { ...SOLD, session: 'second 1 10.0.0.1', sessionHash: '11'.repeat(20) };
    fixture = await DeskFixture.open({ sold: [SOLD, second], mode: 'direct' });
    await fixture.join(card, NOW, NOW + 600);
    await fixture.join(card, NOW, NOW + 600, second);
    await fixture.join(other, NOW, NOW + 600);
    await fixture.goTo(NOW + 60);
    expect(await fixture.desk.evict(card.id)).toBe(2);
    expect([fixture.listed(), fixture.listed(second.session)]).toEqual([[other.hex], []]);
    expect(fixture.keys.ended).toMatchObject([
      { session: SOLD.session, reason: 'evicted', to: NOW + 60 },
      { session: second.session, reason: 'evicted', to: NOW + 60 },
    ]);
    expect((await fixture.bills()).map(({ seconds }) => seconds)).toEqual([60, 60]);
    await fixture.restart();
    expect(problemOf(await fixture.desk.answer(card.sign('join', NOW + 60, NOW + 600)))).toBe('blocked-card');
    await fixture.desk.unblock(card.id);
    expect(problemOf(await fixture.desk.answer(card.sign('join', NOW + 60, NOW + 600)))).toBe('answered');
  });

  test('one card is taken off one list without being blocked', async () => {
    await fixture.join(card, NOW, NOW + 600);
    expect(await fixture.desk.remove(card.id, SOLD.session)).toBe(true);
    expect(await fixture.desk.remove(card.id, SOLD.session)).toBe(false);
    expect(fixture.listed()).toEqual([]);
    expect(problemOf(await fixture.desk.answer(card.sign('join', NOW, NOW + 600)))).toBe('answered');
  });
});

test('the others are told when the list changes: after the second join, and after every end but the last', async () => {
  await fixture.join(card, NOW, NOW + 600);
  expect(fixture.changes).toEqual([]);
  await fixture.join(other, NOW, NOW + 300);
  await fixture.goTo(NOW + 300);
  await fixture.goTo(NOW + 600);
  const { session } = SOLD;
  expect(fixture.changes).toEqual([
    { session, at: NOW * 1000, members: 2 },
    { session, at: (NOW + 300) * 1000, members: 1 },
  ]);
});

test('timers run by themselves, and nothing is missed while the desk was away', async () => {
  await fixture.join(card, NOW, NOW + 600);
  const stop = new AbortController();
  const running = fixture.desk.run(stop.signal);
  // A later join falls due before what the desk sleeps for.
  await fixture.clock.advance(10_000);
  await fixture.join(other, NOW + 10, NOW + 20);
  await fixture.clock.advance(10_000);
  await fixture.writer.commit([]);
  expect(fixture.listed()).toEqual([card.hex]);
  stop.abort();
  await running;
  await fixture.clock.advance(3600_000);
  await fixture.restart();
  await fixture.desk.tick();
  expect(fixture.listed()).toEqual([]);
  expect((await fixture.bills()).map(({ seconds }) => seconds)).toEqual([600, 10]);
});
