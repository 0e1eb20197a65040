import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CardStore } from '../../../card-sim/index.ts';
import { setLife } from '../../../host/issuer/cards/card-administration.ts';
import { expectRefusal, IssuerDesk, UNIT } from '../../support/issuer-desk.ts';
import { makeCardMemory } from '../../support/issuer-fixture.ts';

let desk: IssuerDesk;
let memory: CardStore;

beforeEach(async () => {
  desk = await IssuerDesk.open();
  memory = makeCardMemory();
  desk.insertMemory(memory);
  await desk.makeCard({ moduleClass: 'soft' });
});

afterEach(() => desk.close());

test('a soft module is trusted with a small amount, its credit limit included', async () => {
  await desk.load(7n * UNIT);
  expect(await expectRefusal(desk.load(4n * UNIT), 'OVER_MAXIMUM')).toContain(' 3.00 USD');
  expect(await expectRefusal(desk.setLimit(4n * UNIT), 'OVER_MAXIMUM')).toContain(' 3.00 USD');
  await desk.setLimit(2n * UNIT);
  expect(await expectRefusal(desk.load(2n * UNIT), 'OVER_MAXIMUM')).toContain(' 1.00 USD');
  expect(await desk.load(UNIT)).toMatchObject({ balance: 8n * UNIT });
  expect(desk.ordersSent()).toHaveLength(3);
});

test('a soft module gets the next credit against its receipts', async () => {
  await desk.load(10n * UNIT);
  await desk.watch(8);
  expect(await expectRefusal(desk.load(2n * UNIT), 'RECEIPTS_FIRST')).toContain('tollcast issuer collect');
  expect(await expectRefusal(desk.setLimit(UNIT), 'RECEIPTS_FIRST')).toContain('tollcast issuer collect');
  await desk.collect();
  expect(await desk.load(2n * UNIT)).toMatchObject({ balance: 10n * UNIT });
});

test('a soft module that was put back is withdrawn for good', async () => {
  await desk.load(5n * UNIT);
  const older = makeCardMemory(memory.load());
  await desk.watch(4);
  await desk.collect();
  await desk.load(UNIT);
  desk.insertMemory(older);
  await expectRefusal(desk.load(UNIT), 'CARD_ROLLED_BACK');
  desk.insertMemory(memory);
  await expectRefusal(desk.load(UNIT), 'WITHDRAWN');
  await expectRefusal(desk.setLimit(UNIT), 'WITHDRAWN');
  await setLife(desk.administration, 'blocked');
  await expectRefusal(setLife(desk.administration, 'active'), 'WITHDRAWN');
});

test('a soft module whose receipts fork is withdrawn', async () => {
  await desk.load(5n * UNIT);
  const older = makeCardMemory(memory.load());
  await desk.watch(4);
  await desk.collect();
  desk.insertMemory(older);
  await desk.watch(1);
  await desk.watch(1);
  await expectRefusal(desk.collect(), 'RECEIPTS_DISAGREE');
  await expectRefusal(desk.load(UNIT), 'WITHDRAWN');
});
