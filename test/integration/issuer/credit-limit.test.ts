import { afterEach, beforeEach, expect, test } from 'vitest';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { expectRefusal, IssuerDesk, UNIT } from '../../support/issuer-desk.ts';
import { makeCardMemory } from '../../support/issuer-fixture.ts';

let desk: IssuerDesk;

beforeEach(async () => {
  desk = await IssuerDesk.open();
  desk.insertMemory(makeCardMemory());
  await desk.makeCard();
});

afterEach(() => desk.close());

test('a credit limit whose proof was lost is set again by the same octets', async () => {
  desk.channel.fail(INS.LOAD_CREDIT, 'answer lost');
  await expectRefusal(desk.setLimit(3n * UNIT), 'CARD_GONE');
  expect(await desk.setLimit(3n * UNIT)).toMatchObject({ creditLimit: 3n * UNIT, balance: 0n, repeated: true });
  expect(new Set(desk.ordersSent()).size).toBe(1);
  expect(await desk.module.getPurse()).toMatchObject({ loaded: 0n, loadNumber: 1 });
  expect(await desk.module.getLog(0)).toMatchObject({ creditLimit: 3n * UNIT, limitLoaded: true });
});

test('an open credit limit is set before a load, and the error says so', async () => {
  desk.channel.fail(INS.LOAD_CREDIT, 'command lost');
  await expectRefusal(desk.setLimit(3n * UNIT), 'CARD_GONE');
  expect(await expectRefusal(desk.load(3n * UNIT), 'EARLIER_LOAD')).toContain('credit limit of 3.00 USD');
  expect(await desk.module.getPurse()).toMatchObject({ loaded: 0n, loadNumber: 1 });
  expect(await desk.load(3n * UNIT)).toMatchObject({ balance: 3n * UNIT, repeated: false });
});

test('a credit limit that the card cannot count is refused before a number is used', async () => {
  await expectRefusal(desk.setLimit(2n ** 39n - 500n * UNIT), 'OVER_MAXIMUM');
  expect(desk.ordersSent()).toEqual([]);
  expect(await desk.setLimit(2n ** 39n - 1n - 500n * UNIT)).toMatchObject({ repeated: false });
});
