import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Answer } from '../../../../host/contract/answers/answer.ts';
import { formatTime, readEntry } from '../../../../host/headend/charging/charging-entry.ts';
import { answerOf, DeskFixture, HandCard, SOLD } from '../../../support/headend/request-desk-fixture.ts';
import { NOW } from '../../../support/headend/sample-offer.ts';
import { nameTimes, TIMELINE_USER } from '../../../support/headend/timeline-names.ts';

/** Timeline 3A, free time with an explicit end: its steps one after the other, each a test. */
const T = {
  tX0: NOW,
  tS1: NOW + 600,
  tX1: NOW + 1200,
  tE1: NOW + 2400,
  tX2: NOW + 3000,
  tE3: NOW + 3600,
  tE2: NOW + 4200,
};
const card = new HandCard(1);
const other = new HandCard(2);
let fixture: DeskFixture;
let joined: Answer;
/** Whether billing takes what is forwarded to it. */
let isBillingThere = false;
const forwarded: string[] = [];

beforeAll(async () => {
  fixture = await DeskFixture.open({
    billing: {
      async forward({ user, seconds }) {
        if (!isBillingThere) throw new Error('billing is away');
        forwarded.push(`${user} ${seconds}`);
      },
    },
  });
  await fixture.desk.assignUser(card.id, TIMELINE_USER);
  await fixture.join(other, T.tX0, NOW + 86_400);
});

afterAll(() => fixture.close());

/** `(tE1-tS1), expiry tE1`, as the timeline prints it. */
function printEntry(): string | undefined {
  const entry = fixture.desk.entries().find(({ user }) => user === TIMELINE_USER);
  const state = entry && readEntry(entry, fixture.now);
  const name = nameTimes(T);
  return state && `${formatTime(state.time, name)}, expiry ${name(state.expiry)}`;
}

test('1. tX0: join(p, tS1, tE1)', async () => {
  joined = answerOf(await fixture.desk.answer(card.sign('join', T.tS1, T.tE1)));
  expect(joined).toMatchObject({ outcome: 'joined', from: T.tS1, to: T.tE1 });
  expect(printEntry()).toBeUndefined();
});

test('2. the key comes before tS1', async () => {
  expect(joined.messages).toHaveLength(1);
  const confirm = card.confirm(joined.messages[0]!);
  expect(answerOf(await fixture.desk.answer(confirm))).toMatchObject({ outcome: 'confirmed' });
  expect(fixture.now).toBeLessThan(T.tS1);
});

test('3. tS1: entry (tE1-tS1), expiry tE1', async () => {
  await fixture.goTo(T.tS1 - 1);
  expect(printEntry()).toBeUndefined();
  await fixture.goTo(T.tS1);
  expect(printEntry()).toBe('(tE1-tS1), expiry tE1');
});

test('4. tS1..tE1: the list follows every change of membership', async () => {
  const guest = new HandCard(3);
  await fixture.desk.answer(guest.sign('join', fixture.now, T.tE1));
  expect(fixture.listed()).toEqual([card.hex, other.hex, guest.hex]);
  await fixture.desk.answer(guest.sign('leave', fixture.now, fixture.now));
  expect(fixture.listed()).toEqual([card.hex, other.hex]);
  expect(fixture.keys.ended).toMatchObject([{ cardId: guest.hex, to: fixture.now, reason: 'left' }]);
  expect(fixture.changes.map(({ members }) => members)).toEqual([2, 3, 2]);
});

test('5. tX1 < tE1: join(p, tE1, tE2)', async () => {
  await fixture.goTo(T.tX1);
  const extended = answerOf(await fixture.desk.answer(card.sign('join', T.tE1, T.tE2)));
  expect(extended).toMatchObject({ outcome: 'extended', from: T.tS1, to: T.tE2 });
  await fixture.desk.answer(card.confirm(extended.messages[0]!));
  expect(printEntry()).toBe('(tE1-tS1), expiry tE1');
});

test('6. tE1: (tE1-tS1)+(tE2-tE1), expiry tE2', async () => {
  await fixture.goTo(T.tE1 - 1);
  expect(printEntry()).toBe('(tE1-tS1), expiry tE1');
  await fixture.goTo(T.tE1);
  expect(printEntry()).toBe('(tE1-tS1)+(tE2-tE1), expiry tE2');
});

test('7. keys until tE2: the member stays on the list over tE1', () => {
  const member = [...fixture.desk.members(SOLD.session)].find(({ cardId }) => cardId === card.hex);
  expect(member).toMatchObject({ from: T.tS1, to: T.tE2 });
});

test('8. tX2 < tE2: leave(p, tE3): (tE1-tS1)+(tE2-tE1)+(tE3-tE2), the last part below zero, expiry tE3', async () => {
  await fixture.goTo(T.tX2);
  const left = answerOf(await fixture.desk.answer(card.sign('leave', T.tX2, T.tE3)));
  expect(left).toMatchObject({ outcome: 'left', to: T.tE3, charge: { seconds: T.tE3 - T.tS1 } });
  expect(printEntry()).toBe('(tE1-tS1)+(tE2-tE1)+(tE3-tE2), expiry tE3');
  // The stop of billing is in the log at once, and the key manager knows for when the others need a new key.
  const log = await fixture.store.selectFrom('requestLog').selectAll().where('kind', '=', 'leave').execute();
  expect(log.at(-1)).toMatchObject({ cardId: card.hex, at: T.tX2, timeTo: T.tE3, outcome: 'left' });
  expect(fixture.keys.ended.at(-1)).toMatchObject({ cardId: card.hex, to: T.tE3, reason: 'left' });
});

test('9. tE3: charging stops, the entry is closed; it is deleted once the forward succeeded', async () => {
  await fixture.goTo(T.tE3);
  expect(fixture.listed()).toEqual([other.hex]);
  const closed = () => fixture.store.selectFrom('chargingEntry').select('closedAt').where('user', '=', TIMELINE_USER);
  expect(await closed().execute()).toEqual([{ closedAt: T.tE3 }]);
  isBillingThere = true;
  await fixture.goTo(T.tE3 + 60);
  expect(forwarded).toContain(`${TIMELINE_USER} ${T.tE3 - T.tS1}`);
  expect(await closed().execute()).toEqual([]);
});
