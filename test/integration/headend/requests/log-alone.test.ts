import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConnections } from '../../../support/headend/billing/logged-connections.ts';
import { answerOf, DeskFixture, HandCard, SOLD } from '../../../support/headend/request-desk-fixture.ts';

/** What a client may do next. */
type Step = {
  card: number;
  kind: 'join' | 'extend' | 'leave' | 'keyRequest';
  by: number;
  confirms: boolean;
  wait: number;
};

let fixture: DeskFixture;
/** Each run has cards of its own, on one head-end. */
let serial = 0;

beforeAll(async () => {
  fixture = await DeskFixture.open({ mode: 'direct' });
});

afterAll(() => fixture.close());

test('a service is billed from the log alone as from the charging entries, whatever clients do', async () => {
  const steps = fc.array(
    fc.record<Step>({
      card: fc.nat(2),
      kind: fc.constantFrom('join', 'extend', 'leave', 'keyRequest'),
      by: fc.integer({ min: -40, max: 400 }),
      confirms: fc.boolean(),
      wait: fc.constantFrom(0, 0, 10, 31, 200),
    }),
    { minLength: 5, maxLength: 25 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      const cards = Array.from({ length: 3 }, () => new HandCard(++serial));
      for (const step of script) await play(step, cards[step.card]!);
      await fixture.goTo(fixture.now + 100_000);
      const log = await fixture.store.selectFrom('requestLog').selectAll().orderBy('id').execute();
      const fromLog = readConnections(log).map(({ cardId, from, to }) => `${cardId} ${from}-${to}`);
      const bills = (await fixture.bills()).filter(({ seconds }) => seconds > 0);
      const fromEntries = bills.map(({ user, from, to }) => `${user.replaceAll('-', '')} ${from}-${to}`);
      expect(fromLog.toSorted()).toEqual(fromEntries.toSorted());
      for (const { seconds, from, to } of bills) expect(seconds).toBe(to - from);
    }),
    { numRuns: 30 },
  );
  expect((await fixture.bills()).length).toBeGreaterThan(30);
});

async function play({ kind, by, confirms, wait }: Step, card: HandCard): Promise<void> {
  const member = [...fixture.desk.members(SOLD.session)].find(({ cardId }) => cardId === card.hex);
  const from = kind === 'extend' ? (member?.to ?? fixture.now) : fixture.now;
  const reply = await fixture.desk.answer(card.sign(kind, from, kind === 'keyRequest' ? 0 : from + by));
  if (confirms && 'answer' in reply) {
    for (const message of answerOf(reply).messages) await fixture.desk.answer(card.confirm(message));
  }
  await fixture.goTo(fixture.now + wait);
}
