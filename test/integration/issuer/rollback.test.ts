import { afterEach, beforeEach, expect, test } from 'vitest';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import type { CardStore } from '../../../card-sim/index.ts';
import { expectRefusal, IssuerDesk, UNIT } from '../../support/issuer-desk.ts';
import { makeCardMemory } from '../../support/issuer-fixture.ts';

let desk: IssuerDesk;
let memory: CardStore;
/** The memory as it was after the first load. */
let older: CardStore;

// A card of class card: nobody asks for its receipts before it is loaded.
beforeEach(async () => {
  desk = await IssuerDesk.open();
  memory = makeCardMemory();
  desk.insertMemory(memory);
  await desk.makeCard();
  await desk.load(10n * UNIT);
  older = makeCardMemory(memory.load());
});

afterEach(() => desk.close());

async function expectFoundOut(): Promise<void> {
  await expectRefusal(desk.load(UNIT), 'CARD_ROLLED_BACK');
  expect(desk.channel.sent.map((command) => command[1])).not.toContain(INS.LOAD_CREDIT);
}

test('a card without receipts that were collected gets no credit, though it never proved their sum', async () => {
  await desk.watchAndClose(5);
  await desk.collect();
  desk.insertMemory(older);
  await expectFoundOut();
});

test('a card that has spent less than it proved gets no credit, though it has as many receipts', async () => {
  await desk.watchAndClose(8);
  desk.channel.fail(INS.LOAD_CREDIT, 'command lost');
  await expectRefusal(desk.load(UNIT), 'CARD_GONE');
  desk.insertMemory(older);
  await desk.watchAndClose(4);
  expect(await desk.module.getPurse()).toMatchObject({ spent: UNIT, receiptsWritten: 1 });
  desk.channel.sent.length = 0;
  await expectFoundOut();
});

test('a card on which less is torn than it proved gets no credit', async () => {
  await desk.watch(1);
  desk.insertMemory(memory);
  desk.channel.fail(INS.LOAD_CREDIT, 'command lost');
  await expectRefusal(desk.load(UNIT), 'CARD_GONE');
  expect(await desk.module.getPurse()).toMatchObject({ spent: UNIT, torn: UNIT, receiptsWritten: 1 });
  desk.insertMemory(older);
  await desk.watchAndClose(4);
  expect(await desk.module.getPurse()).toMatchObject({ spent: UNIT, torn: 0n, receiptsWritten: 1 });
  desk.channel.sent.length = 0;
  await expectFoundOut();
});

test('a card that is two loads behind gets no credit, though the last load is still open', async () => {
  await desk.load(UNIT);
  desk.channel.fail(INS.LOAD_CREDIT, 'command lost');
  await expectRefusal(desk.load(UNIT), 'CARD_GONE');
  const newest = makeCardMemory(memory.load());
  desk.insertMemory(older);
  await expectFoundOut();
  desk.insertMemory(newest);
  expect(await desk.load(UNIT)).toMatchObject({ repeated: true });
});

test('a card without a load that it proved gets no credit', async () => {
  await desk.load(UNIT);
  desk.insertMemory(older);
  await expectRefusal(desk.load(UNIT), 'CARD_ROLLED_BACK');
});

test('a card that has not spent what it once showed gets no credit', async () => {
  await desk.watch(5);
  desk.channel.fail(INS.LOAD_CREDIT, 'command lost');
  await expectRefusal(desk.load(UNIT), 'CARD_GONE');
  desk.insertMemory(older);
  await expectRefusal(desk.load(UNIT), 'CARD_ROLLED_BACK');
  expect(desk.ordersSent()).toEqual([]);
});

test('a card without receipts that were collected is found out by their number, or by their sum', async () => {
  await desk.watch(5);
  await desk.collect();
  desk.insertMemory(older);
  await expectRefusal(desk.collect(), 'CARD_ROLLED_BACK');
  await desk.watch(1);
  await desk.watch(1);
  await expectRefusal(desk.collect(), 'RECEIPTS_DISAGREE');
  expect(await desk.accounts.receiptTotals(desk.cardId)).toMatchObject({ last: 1, amount: 1_250_000n });
});
