import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatTime, readEntry } from '../../../../host/headend/charging/charging-entry.ts';
import { answerOf, DeskFixture, HandCard, problemOf, SOLD } from '../../../support/headend/request-desk-fixture.ts';
import { NOW } from '../../../support/headend/sample-offer.ts';
import { nameTimes } from '../../../support/headend/timeline-names.ts';

/** Slots of 600 s; one starts 100 s before now, and requests count for it until 60 s before its end. */
const SLOTTED = { ...SOLD, slots: { start: NOW - 100, length: 600, offset: 60 } };
/** Ends of the slots from that one on. */
const T = { tS: NOW, t1: NOW + 500, t2: NOW + 1100, t3: NOW + 1700, t4: NOW + 2300, t5: NOW + 2900 };
const card = new HandCard(1);
let fixture: DeskFixture;

beforeEach(async () => {
  fixture = await DeskFixture.open({ sold: [SLOTTED], mode: 'direct' });
});

afterEach(() => fixture.close());

const ask = async (...asked: Parameters<HandCard['sign']>) => fixture.desk.answer(card.sign(...asked));

test('a join lasts to the end of its slot and the slots counted more, and its answer tells the deadline', async () => {
  expect(await fixture.join(card, NOW, 2)).toMatchObject({ from: T.tS, to: T.t3, deadline: T.t3 - 60 });
});

test('an extension counts before the deadline, and not from it on', async () => {
  await fixture.join(card, NOW, 2);
  await fixture.goTo(T.t3 - 61);
  expect(answerOf(await ask('extend', T.t3, 2))).toMatchObject({ outcome: 'extended', to: T.t5, deadline: T.t5 - 60 });
  await fixture.goTo(T.t5 - 60);
  expect(problemOf(await ask('extend', T.t5, 1))).toBe('too-late');
});

test('a leave before the deadline is at the end of the slot; later it is at the end of the next', async () => {
  await fixture.join(card, NOW, 4);
  await fixture.goTo(T.t2 - 61);
  expect(answerOf(await ask('leave', fixture.now, 0))).toMatchObject({ to: T.t2 });
  const other = new HandCard(2);
  await fixture.join(other, fixture.now, 3);
  await fixture.goTo(T.t2 - 60);
  expect(answerOf(await fixture.desk.answer(other.sign('leave', fixture.now, 0)))).toMatchObject({ to: T.t3 });
});

test('a leave that names a time, or now, is at the end of a slot all the same', async () => {
  await fixture.join(card, NOW, 4);
  expect(answerOf(await ask('leave', NOW, T.t2 + 1))).toMatchObject({ to: T.t3 });
  expect(answerOf(await ask('leave', NOW, NOW))).toMatchObject({ to: T.t1 });
});

test('the entry counts whole slots', async () => {
  await fixture.join(card, NOW, 2);
  await fixture.join(card, T.t3, 2 * 600 + T.t3);
  await fixture.goTo(T.t3 + 100);
  await ask('leave', fixture.now, 0);
  const state = readEntry(fixture.desk.entries()[0]!, fixture.now)!;
  expect(formatTime(state.time, nameTimes(T))).toBe('(t3-tS)+(t5-t3)+(t4-t5)');
  await fixture.goTo(T.t4);
  expect(await fixture.bills()).toMatchObject([{ seconds: 500 + 3 * 600 }]);
});
