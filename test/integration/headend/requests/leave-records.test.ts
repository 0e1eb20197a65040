import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { answerOf, DeskFixture, HandCard, problemOf, SOLD } from '../../../support/headend/request-desk-fixture.ts';
import { NOW } from '../../../support/headend/sample-offer.ts';

/** 33 sessions of as many services. */
const SESSIONS = Array.from({ length: 33 }, (_, i) => ({
  ...SOLD,
  service: 100 + i,
  session: `channel ${i} 10.0.0.1`,
  sessionHash: i.toString(16).padStart(2, '0').repeat(20),
  confirmTimeout: 300,
}));
const [FIRST, SECOND, THIRD] = SESSIONS as [typeof SOLD, typeof SOLD, typeof SOLD];
const card = new HandCard(1);
let fixture: DeskFixture;

beforeEach(async () => {
  fixture = await DeskFixture.open({ sold: SESSIONS, mode: 'direct' });
});

afterEach(() => fixture.close());

/** Has the card join without a confirm. @returns its purchase. */
async function ask(sold: typeof SOLD): Promise<Uint8Array> {
  const joined = answerOf(await fixture.desk.answer(card.sign('join', NOW, NOW + 600, { sold })));
  return joined.messages[0]!;
}

describe('a leave record', () => {
  test('ends a join like a leave, and says that the card itself has sworn off', async () => {
    const { messages } = await fixture.join(card, NOW, NOW + 600, FIRST);
    await fixture.goTo(NOW + 60);
    const left = answerOf(await fixture.desk.answer(card.leaveRecord(messages[0]!, NOW + 60)));
    expect(left).toMatchObject({ outcome: 'left', to: NOW + 60, charge: { seconds: 60 } });
    expect(left).not.toHaveProperty('requestId');
    expect(fixture.keys.ended).toMatchObject([{ reason: 'left', hasLeaveRecord: true, to: NOW + 60 }]);
  });

  test('that was held back: billing stops when it comes, not when it was made', async () => {
    const { messages } = await fixture.join(card, NOW, NOW + 600, FIRST);
    await fixture.goTo(NOW + 200);
    const left = answerOf(await fixture.desk.answer(card.leaveRecord(messages[0]!, NOW + 60)));
    expect(left).toMatchObject({ to: NOW + 200 });
    expect(await fixture.bills()).toMatchObject([{ seconds: 200 }]);
  });

  test('that comes after the leave by request is answered all the same', async () => {
    const { messages } = await fixture.join(card, NOW, NOW + 600, FIRST);
    await fixture.join(card, NOW, NOW + 600, SECOND);
    await fixture.desk.answer(card.sign('leave', NOW, NOW + 300, { sold: FIRST }));
    expect(answerOf(await fixture.desk.answer(card.leaveRecord(messages[0]!, NOW + 300)))).toMatchObject({
      outcome: 'left',
      to: NOW + 300,
    });
    await fixture.goTo(NOW + 300);
    expect(problemOf(await fixture.desk.answer(card.leaveRecord(messages[0]!, NOW + 300)))).toBe('answered');
    expect(await fixture.bills()).toMatchObject([{ seconds: 300 }]);
  });

  test('of a card that has no join at all is refused', async () => {
    const foreign = await ask(FIRST);
    expect(problemOf(await fixture.desk.answer(new HandCard(9).leaveRecord(foreign, NOW)))).toBe('not-joined');
  });
});

describe('after a leave record', () => {
  test('what was granted under lower numbers and not confirmed is issued anew, under new numbers', async () => {
    const confirmed = await fixture.join(card, NOW, NOW + 600, FIRST);
    const lost = await ask(SECOND);
    const left = await fixture.join(card, NOW, NOW + 600, THIRD);
    const later = await ask(SESSIONS[3]!);
    const numbers = [confirmed.messages[0]!, lost, left.messages[0]!, later].map(
      (octets) => parseKeyMessage(octets).number,
    );
    expect(numbers).toEqual([NOW, NOW + 1, NOW + 2, NOW + 3]);
    const answer = answerOf(await fixture.desk.answer(card.leaveRecord(left.messages[0]!, NOW)));
    // The first is confirmed, and the last has a higher number, which the card still takes.
    expect(answer.messages.map((octets) => parseKeyMessage(octets))).toMatchObject([
      { service: SECOND.service, number: NOW + 4, from: NOW, to: NOW + 600 },
    ]);
    expect(answerOf(await fixture.desk.answer(card.confirm(answer.messages[0]!)))).toMatchObject({
      outcome: 'confirmed',
      service: SECOND.service,
    });
    const log = fixture.store.selectFrom('requestLog').select(['kind', 'service', 'segmentId', 'outcome']);
    expect(await log.where('kind', '=', 'leave record').orderBy('id').execute()).toEqual([
      { kind: 'leave record', service: THIRD.service, segmentId: null, outcome: 'ended' },
      { kind: 'leave record', service: SECOND.service, segmentId: 5, outcome: 'keys' },
    ]);
  });

  test('the old message that comes late confirms nothing', async () => {
    const lost = await ask(FIRST);
    const left = await fixture.join(card, NOW, NOW + 600, SECOND);
    await fixture.desk.answer(card.leaveRecord(left.messages[0]!, NOW));
    await fixture.desk.answer(card.confirm(lost));
    const row = await fixture.store.selectFrom('member').select(['isConfirmed', 'number']).executeTakeFirst();
    expect(row).toEqual({ isConfirmed: false, number: NOW + 2 });
  });
});

test('a card has at most 31 grants without a confirm, as its window holds no more', async () => {
  const messages: Uint8Array[] = [];
  for (const sold of SESSIONS.slice(0, 31)) messages.push(await ask(sold));
  const next = card.sign('join', NOW, NOW + 600, { sold: SESSIONS[31]! });
  expect(problemOf(await fixture.desk.answer(next))).toBe('confirm-first');
  await fixture.desk.answer(card.confirm(messages[7]!));
  expect(problemOf(await fixture.desk.answer(next))).toBe('answered');
  // A key is still sent again for a session that has one on its way.
  const again = card.sign('keyRequest', NOW, 0, { sold: SESSIONS[31]! });
  expect(problemOf(await fixture.desk.answer(again))).toBe('answered');
});

describe('where segments are bought one by one, so that an answer has two purchases,', () => {
  beforeEach(() => {
    fixture.keys.purchases = 2;
  });

  test('a card has at most 32 numbers without a confirm', async () => {
    const given: Uint8Array[] = [];
    const joinNext = async (sold: typeof SOLD) => {
      const reply = await fixture.desk.answer(card.sign('join', NOW, NOW + 600, { sold }));
      if (problemOf(reply) !== 'confirm-first') given.push(...answerOf(reply).messages);
      return problemOf(reply);
    };
    const answers: string[] = [];
    for (const sold of SESSIONS.slice(0, 17)) answers.push(await joinNext(sold));
    expect(answers).toEqual([...Array<string>(16).fill('answered'), 'confirm-first']);
    expect(given).toHaveLength(32);
    // One of two is not enough for two more.
    await fixture.desk.answer(card.confirm(given[1]!));
    expect(await joinNext(SESSIONS[16]!)).toBe('confirm-first');
    await fixture.desk.answer(card.confirm(given[0]!));
    expect(await joinNext(SESSIONS[16]!)).toBe('answered');
  });

  test('who confirms the one that the card had room for has its key, and stays', async () => {
    const [first] = answerOf(await fixture.desk.answer(card.sign('join', NOW, NOW + 600, { sold: FIRST }))).messages;
    await fixture.desk.answer(card.confirm(first!));
    await fixture.goTo(NOW + 301);
    expect(fixture.listed(FIRST.session)).toEqual([card.hex]);
  });

  test('the one that is not confirmed is issued anew after a leave record', async () => {
    const [, second] = answerOf(await fixture.desk.answer(card.sign('join', NOW, NOW + 600, { sold: FIRST }))).messages;
    await fixture.desk.answer(card.confirm(second!));
    const left = await fixture.join(card, NOW, NOW + 600, SECOND);
    const record = card.leaveRecord(left.messages[1]!, NOW);
    const { messages } = answerOf(await fixture.desk.answer(record));
    expect(messages.map((octets) => parseKeyMessage(octets))).toMatchObject([
      { service: FIRST.service, number: NOW + 4 },
      { service: FIRST.service, number: NOW + 5 },
    ]);
  });

  test('a leave record of the earlier of two ends that alone', async () => {
    const { messages } = await fixture.join(card, NOW, NOW + 600, FIRST);
    const record = await fixture.desk.answer(card.leaveRecord(messages[0]!, NOW));
    expect(answerOf(record)).toMatchObject({ outcome: 'left', service: FIRST.service, to: NOW + 600 });
    expect(fixture.listed(FIRST.session)).toEqual([card.hex]);
  });
});
