import { assert, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { toHex } from '../../../apdu/octets.ts';
import type { CardKind } from '../../../card-sim/index.ts';
import { type CardFile, encodeCardFile, parseCardFile } from '../../../host/contract/card-files/card-file.ts';
import { requestLoad, sendReceipts, takeAcknowledgement, takeLoad } from '../../../host/holder/remote-load.ts';
import { planCreditLimit, planLoad } from '../../../host/issuer/orders/credit.ts';
import {
  answerLoadRequest,
  type RemoteOrder,
  takeProof,
  type TakenProof,
} from '../../../host/issuer/orders/remote-order.ts';
import { acknowledgeReceipts, takeReceipts } from '../../../host/issuer/orders/remote-receipts.ts';
import { expectRefusal, IssuerDesk, NOVEMBER, UNIT } from '../../support/issuer-desk.ts';
import { makeCardMemory } from '../../support/issuer-fixture.ts';

let desk: IssuerDesk;

afterEach(() => desk.close());

/** What travels is text. */
function travel(file: CardFile): CardFile {
  return parseCardFile(encodeCardFile(file), file.kind, 'a file');
}

function answer(request: CardFile, amount: bigint, now = NOVEMBER): Promise<RemoteOrder> {
  const { keys, accounts } = desk.issuer;
  const plan = planLoad({ amount, currency: 840, refundCap: 5n * UNIT }, now);
  return answerLoadRequest({ keys, accounts, now }, travel(request), plan);
}

function prove(proof: CardFile): Promise<TakenProof> {
  const { keys, accounts } = desk.issuer;
  return takeProof({ keys, accounts, now: NOVEMBER }, travel(proof));
}

const request = (): Promise<CardFile> => requestLoad(desk.module);
const carryOut = ({ file }: RemoteOrder): Promise<CardFile> => takeLoad(desk.module, travel(file));

async function expectLoaded(units: bigint, orders: number): Promise<void> {
  expect(await desk.module.getPurse()).toMatchObject({ loaded: units * UNIT, loadNumber: orders });
  expect(await desk.accounts.orderedUpTo(desk.cardId, orders)).toBe(units * UNIT);
  expect(await desk.accounts.lastOrder(desk.cardId)).toMatchObject({ number: orders, proved: true });
}

describe.each<CardKind>(['soft', 'jcardsim'])('a %s card and an issuer that do not meet', (kind) => {
  beforeEach(async () => {
    desk = await IssuerDesk.withCard(kind);
  });

  test('load it by three files, and every file may come twice', async () => {
    const asked = await request();
    expect(encodeCardFile(await request())).toBe(encodeCardFile(asked));
    const order = await answer(asked, 3n * UNIT);
    expect(order).toMatchObject({ asked: 3n * UNIT, repeated: false });
    const again = await answer(asked, 3n * UNIT);
    expect(again.repeated).toBe(true);
    expect(encodeCardFile(again.file)).toBe(encodeCardFile(order.file));
    const proof = await carryOut(order);
    expect(encodeCardFile(await carryOut(again))).toBe(encodeCardFile(proof));
    expect(await prove(proof)).toMatchObject({ kind: 'load', number: 1, asked: 3n * UNIT, repeated: false });
    expect(await prove(proof)).toMatchObject({ repeated: true });
    await expectLoaded(3n, 1);
  });

  test('lose an answer or a proof, and load it once all the same', async () => {
    for (const [fault, units] of [
      ['command lost', 1n],
      ['answer lost', 2n],
    ] as const) {
      const asked = await request();
      const order = await answer(asked, UNIT);
      desk.channel.fail(INS.LOAD_CREDIT, fault);
      await expectRefusal(carryOut(order), 'CARD_GONE');
      await desk.reconnect();
      const proof = await carryOut(order);
      // Its holder was told nothing, and asks again with a file made before.
      expect((await answer(asked, UNIT)).repeated).toBe(true);
      await prove(proof);
      await expectLoaded(units, Number(units));
    }
  });

  test('go on without the proof, as the next request proves the order too', async () => {
    await carryOut(await answer(await request(), UNIT));
    const next = await answer(await request(), 2n * UNIT);
    expect(next).toMatchObject({ asked: 2n * UNIT, repeated: false });
    await prove(await carryOut(next));
    await expectLoaded(3n, 2);
  });

  test('settle receipts by two files, and both may come twice', async () => {
    await prove(await carryOut(await answer(await request(), 5n * UNIT)));
    await desk.watchAndClose(2);
    const { keys, accounts } = desk.issuer;
    const receipts = travel(await sendReceipts(desk.module));
    const taken = await takeReceipts({ keys, accounts }, receipts);
    expect(taken.receipts).toMatchObject([{ number: 1, amount: 500_000n }]);
    expect((await takeReceipts({ keys, accounts }, receipts)).receipts).toEqual([]);
    const acknowledgement = travel(await acknowledgeReceipts({ keys, accounts }, taken.card));
    desk.channel.fail(INS.ACKNOWLEDGE_RECEIPTS, 'answer lost');
    await expectRefusal(takeAcknowledgement(desk.module, acknowledgement), 'CARD_GONE');
    await desk.reconnect();
    expect(await takeAcknowledgement(desk.module, acknowledgement)).toMatchObject({ left: 0 });
    await expectRefusal(sendReceipts(desk.module), 'NO_RECEIPTS');
    expect(await accounts.receiptTotals(desk.cardId)).toMatchObject({ last: 1, amount: 500_000n });
    // A file that was on its way meanwhile changes nothing.
    await desk.watchAndClose(1);
    expect((await takeReceipts({ keys, accounts }, receipts)).receipts).toEqual([]);
    expect(await takeAcknowledgement(desk.module, acknowledgement)).toMatchObject({ left: 1 });
  });
});

test('an order that the power cuts off at any write of an applet is carried out once', async () => {
  desk = await IssuerDesk.withCard('jcardsim');
  let loads = 0n;
  // As many writes as there are; after the last of them the answer is lost.
  for (let writes = 0, isDone = false; !isDone; writes++) {
    const order = await answer(await request(), UNIT);
    const { channel } = desk;
    const failing: CardChannel = {
      atr: channel.atr,
      async transmit(command) {
        if (command[1] === INS.LOAD_CREDIT) await desk.cutPower(writes);
        return channel.transmit(command);
      },
      close: () => channel.close(),
    };
    const cut = await takeLoad(new DecodeModule(failing), travel(order.file)).then(
      () => false,
      () => true,
    );
    isDone = !cut;
    if (cut) await desk.insertAgain();
    const proof = await carryOut(order);
    await prove(proof);
    loads += 1n;
    await expectLoaded(loads, Number(loads));
  }
  expect(loads).toBeGreaterThan(2n);
}, 60_000);

describe('an issuer', () => {
  beforeEach(async () => {
    desk = await IssuerDesk.open();
    desk.insertMemory(makeCardMemory());
    await desk.makeCard({ moduleClass: 'soft' });
  });

  test('refuses a request that is overtaken, and withdraws no card for it', async () => {
    const early = await request();
    await prove(await carryOut(await answer(early, 5n * UNIT)));
    const message = await expectRefusal(answer(early, 5n * UNIT), 'STALE_FILE');
    expect(message).toContain('tollcast card request-load');
    const unspent = await request();
    await desk.watchAndClose(2);
    await prove(await carryOut(await answer(await request(), UNIT)));
    await expectRefusal(answer(unspent, UNIT), 'STALE_FILE');
    expect(await desk.accounts.card(desk.cardId)).toMatchObject({ withdrawn: false });
    await expectLoaded(6n, 2);
  });

  test('gives a soft module credit against the receipts that came with its request', async () => {
    await prove(await carryOut(await answer(await request(), 10n * UNIT)));
    await desk.watchAndClose(4);
    const asked = await request();
    expect(asked.messages.map(({ name }) => name)).toEqual(['load-request', 'receipt']);
    const bare = { ...asked, messages: asked.messages.slice(0, 1) };
    await expectRefusal(answer(bare, UNIT), 'RECEIPTS_FIRST');
    await prove(await carryOut(await answer(asked, UNIT)));
    expect(await desk.module.getPurse()).toMatchObject({ receiptsDue: 0, loaded: 11n * UNIT });
  });

  test('writes the open order again where another is asked for', async () => {
    const asked = await request();
    await answer(asked, 3n * UNIT);
    const other = await answer(asked, 4n * UNIT);
    expect(other).toMatchObject({ asked: 3n * UNIT, repeated: true });
    const { keys, accounts } = desk.issuer;
    const limit = planCreditLimit({ amount: UNIT, currency: 840 });
    const context = { keys, accounts, now: NOVEMBER };
    expect(await answerLoadRequest(context, asked, limit)).toMatchObject({ kind: 'load', repeated: true });
    await prove(await carryOut(other));
    const set = await answerLoadRequest(context, await request(), limit);
    expect(set).toMatchObject({ kind: 'credit limit', repeated: false });
    expect(await prove(await carryOut(set))).toMatchObject({ kind: 'credit limit', number: 2 });
    expect(await desk.module.getLog(0)).toMatchObject({ creditLimit: UNIT });
  });

  test('and a card refuse what is for another one, forged or unknown', async () => {
    const asked = await request();
    const order = await answer(asked, UNIT);
    const proof = await carryOut(order);
    const own = desk.cardId;
    // Another card of the same issuer.
    desk.insertMemory(makeCardMemory());
    await desk.makeCard({ moduleClass: 'soft' });
    expect(await expectRefusal(carryOut(order), 'FOREIGN_FILE')).toMatch(/insert the other card/);
    // Octets that were changed, by somebody who can compute a digest.
    const change = (file: CardFile): CardFile => {
      const [first, ...rest] = file.messages;
      assert(first !== undefined);
      const octets = first.octets.slice();
      octets[21] = octets[21]! ^ 1;
      return { ...file, messages: [{ ...first, octets }, ...rest] };
    };
    await expectRefusal(answer(change(asked), UNIT), 'FORGED');
    await expectRefusal(prove(change(proof)), 'FORGED');
    // A proof that these accounts know nothing of.
    const restore = await desk.copyAccounts();
    await prove(await carryOut(await answer(await request(), UNIT)));
    const known = await carryOut(await answer(await request(), UNIT));
    await restore();
    await expectRefusal(prove(known), 'ACCOUNTS_BEHIND');
    // Cards of another issuer.
    const other = await IssuerDesk.open();
    try {
      const { keys, accounts } = other.issuer;
      const plan = planLoad({ amount: UNIT, currency: 840, refundCap: 0n }, NOVEMBER);
      await expectRefusal(answerLoadRequest({ keys, accounts, now: NOVEMBER }, asked, plan), 'NOT_IN_ACCOUNTS');
    } finally {
      await other.close();
    }
    expect(toHex(own)).not.toBe(toHex(desk.cardId));
  });

  test('takes no order that is ahead of the card or behind it', async () => {
    const first = await answer(await request(), UNIT);
    await prove(await carryOut(first));
    const second = await answer(await request(), UNIT);
    await prove(await carryOut(second));
    expect(await expectRefusal(carryOut(first), 'STALE_FILE')).toMatch(/carried out a later one since/);
    await expectLoaded(2n, 2);
  });

  test('withdraws a soft module that signed two receipts of one number', async () => {
    const memory = makeCardMemory();
    desk.insertMemory(memory);
    await desk.makeCard({ moduleClass: 'soft' });
    await prove(await carryOut(await answer(await request(), 5n * UNIT)));
    const copy = makeCardMemory(memory.load());
    await desk.watchAndClose(1);
    const { keys, accounts } = desk.issuer;
    await takeReceipts({ keys, accounts }, await sendReceipts(desk.module));
    desk.insertMemory(copy);
    await desk.watchAndClose(2);
    await expectRefusal(takeReceipts({ keys, accounts }, await sendReceipts(desk.module)), 'RECEIPTS_DISAGREE');
    expect(await accounts.card(desk.cardId)).toMatchObject({ withdrawn: true });
  });
});
