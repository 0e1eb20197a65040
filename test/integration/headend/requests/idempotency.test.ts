import { afterEach, beforeEach, expect, test } from 'vitest';
import { answerOf, DeskFixture, HandCard, problemOf } from '../../../support/headend/request-desk-fixture.ts';
import { NOW } from '../../../support/headend/sample-offer.ts';

const card = new HandCard(1);
let fixture: DeskFixture;

beforeEach(async () => {
  fixture = await DeskFixture.open();
});

afterEach(() => fixture.close());

test('the same request gets the same answer, octet by octet, and changes nothing a second time', async () => {
  const octets = card.sign('join', NOW, NOW + 600);
  const first = await fixture.desk.answer(octets);
  expect(answerOf(first).messages).toHaveLength(1);
  await fixture.goTo(NOW + 10);
  expect(await fixture.desk.answer(octets)).toEqual(first);
  expect(fixture.keys.granted).toHaveLength(1);
  expect(await fixture.store.selectFrom('requestLog').selectAll().execute()).toHaveLength(1);
});

test('also when it comes again while the first is on its way to disk', async () => {
  const octets = card.sign('join', NOW, NOW + 600);
  const replies = await Promise.all([fixture.desk.answer(octets), fixture.desk.answer(octets)]);
  expect(replies[1]).toEqual(replies[0]);
  expect(fixture.keys.granted).toHaveLength(1);
});

test('also after a restart, and after the skew that a new request may have', async () => {
  const octets = card.sign('join', NOW, NOW + 600);
  const first = await fixture.desk.answer(octets);
  await fixture.restart();
  await fixture.goTo(NOW + 300);
  expect(await fixture.desk.answer(octets)).toEqual(first);
});

test('a refusal is the same again, too', async () => {
  const octets = card.sign('leave', NOW, NOW + 10);
  const refused = await fixture.desk.answer(octets);
  expect(problemOf(refused)).toBe('not-joined');
  await fixture.join(card, NOW, NOW + 600);
  expect(await fixture.desk.answer(octets)).toEqual(refused);
  await fixture.restart();
  expect(await fixture.desk.answer(octets)).toEqual(refused);
});

test('what nobody could send any more is forgotten, in memory and on disk', async () => {
  await fixture.join(card, NOW, NOW + 600);
  await fixture.goTo(NOW + 3 * 3600);
  expect(await fixture.store.selectFrom('answeredRequest').selectAll().execute()).toEqual([]);
  // The log stays, and the old request is too old to be answered anew.
  expect(await fixture.store.selectFrom('requestLog').selectAll().execute()).toHaveLength(1);
});

test('a request is remembered as long as it could be answered anew, however many come after it', async () => {
  const late = card.sign('join', NOW + 50_000, NOW + 60_000);
  const first = await fixture.desk.answer(late);
  for (let minute = 0; minute < 4; minute++) {
    for (let i = 0; i < 20; i++) await fixture.desk.answer(card.sign('keyRequest', fixture.now, 0));
    await fixture.goTo(fixture.now + 60);
  }
  expect(await fixture.desk.answer(late)).toEqual(first);
});

test('numbers of a card that left go on where they were, over a restart', async () => {
  const numbers: number[] = [];
  for (let i = 0; i < 3; i++) {
    const joined = await fixture.join(card, NOW, NOW + 600 + i);
    numbers.push(new DataView(joined.messages[0]!.buffer).getUint32(20));
    expect(problemOf(await fixture.desk.answer(card.sign('leave', NOW, NOW)))).toBe('answered');
    await fixture.restart();
    expect(fixture.listed()).toEqual([]);
  }
  expect(numbers).toEqual([NOW, NOW + 1, NOW + 2]);
});

test('numbers of a card rise by one, whatever session asks, over restarts', async () => {
  const numbers: number[] = [];
  for (let i = 0; i < 6; i++) {
    const asked = i === 0 ? card.sign('join', NOW, NOW + 600) : card.sign('keyRequest', NOW, 0);
    const [message] = answerOf(await fixture.desk.answer(asked)).messages;
    numbers.push(new DataView(message!.buffer).getUint32(20));
    if (i === 2) await fixture.restart();
  }
  expect(numbers).toEqual([NOW, NOW + 1, NOW + 2, NOW + 3, NOW + 4, NOW + 5]);
});
