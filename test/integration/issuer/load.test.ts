import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { MASTERS } from '../../../apdu/decode-module/keys/card-keys.ts';
import { toHex } from '../../../apdu/octets.ts';
import type { CardKind } from '../../../card-sim/index.ts';
import { Accounts } from '../../../host/issuer/cards/accounts.ts';
import { loadCredit } from '../../../host/issuer/orders/credit.ts';
import { expectRefusal, IssuerDesk, NOVEMBER, UNIT } from '../../support/issuer-desk.ts';

/** @returns what everyone awaits until so many have come. */
function meetingOf(expected: number): () => Promise<void> {
  const all = Promise.withResolvers<void>();
  let come = 0;
  return () => {
    if (++come === expected) all.resolve();
    return all.promise;
  };
}

describe.each<CardKind>(['soft', 'jcardsim'])('on %s', (kind) => {
  let desk: IssuerDesk;

  beforeEach(async () => {
    desk = await IssuerDesk.withCard(kind);
    return () => desk.close();
  });

  test('a load adds to the purse and to the accounts', async () => {
    expect(await desk.load(10n * UNIT)).toEqual({
      cardId: desk.cardId,
      amount: 10n * UNIT,
      refund: 0n,
      balance: 10n * UNIT,
      repeated: false,
    });
    expect(await desk.load(1n)).toMatchObject({ balance: 10n * UNIT + 1n });
    expect(await desk.module.getPurse()).toMatchObject({ loaded: 10n * UNIT + 1n, loadNumber: 2 });
    expect(await desk.accounts.lastOrder(desk.cardId)).toMatchObject({ number: 2, asked: 1n, proved: true });
    expect(new Set(desk.ordersSent()).size).toBe(2);
  });

  test('a load whose proof was lost is repeated with the same octets, and adds once', async () => {
    desk.channel.fail(INS.LOAD_CREDIT, 'answer lost');
    await expectRefusal(desk.load(10n * UNIT), 'CARD_GONE');
    expect(await desk.module.getPurse()).toMatchObject({ loaded: 10n * UNIT });
    expect(await desk.load(10n * UNIT)).toMatchObject({ balance: 10n * UNIT, repeated: true });
    const [first, again, ...others] = desk.ordersSent();
    expect(again).toBe(first);
    expect(others).toEqual([]);
    expect(await desk.module.getPurse()).toMatchObject({ loaded: 10n * UNIT, loadNumber: 1 });
    // And from here on it is a new load.
    expect(await desk.load(10n * UNIT)).toMatchObject({ balance: 20n * UNIT, repeated: false });
  });

  test('an order that a crash kept from being sent is signed again', async () => {
    desk.channel.fail(INS.LOAD_CREDIT, 'command lost');
    await expectRefusal(desk.load(10n * UNIT), 'CARD_GONE');
    const order = await desk.accounts.lastOrder(desk.cardId);
    expect(order).toMatchObject({ number: 1, asked: 10n * UNIT, proved: false });
    // A new process knows only what is on disk.
    await desk.reopenAccounts();
    expect(await desk.load(10n * UNIT)).toMatchObject({ balance: 10n * UNIT, repeated: true });
    expect(await desk.accounts.lastOrder(desk.cardId)).toEqual({ ...order, proved: true });
    expect(desk.ordersSent()[0]).toContain(toHex(order?.loadId ?? new Uint8Array()));
  });

  test('an open load is finished first, and the error says that the new amount was not loaded', async () => {
    desk.channel.fail(INS.LOAD_CREDIT, 'command lost');
    await expectRefusal(desk.load(10n * UNIT), 'CARD_GONE');
    expect(await expectRefusal(desk.load(20n * UNIT), 'EARLIER_LOAD')).toContain(' 10.00 USD ');
    expect(await desk.module.getPurse()).toMatchObject({ loaded: 10n * UNIT, loadNumber: 1 });
    expect(await desk.load(20n * UNIT)).toMatchObject({ balance: 30n * UNIT, repeated: false });
  });

  test('two processes that both hold the same S1 sign the same order', async () => {
    await using accounts = await Accounts.open(desk.issuer.store);
    const bothAsked = meetingOf(2);
    const bothOrdered = meetingOf(2);
    const transmit = async (command: Uint8Array) => {
      if (command[1] === INS.LOAD_CREDIT) await bothOrdered();
      const answer = await desk.channel.transmit(command);
      if (command[1] === INS.START_LOAD) await bothAsked();
      return answer;
    };
    const slow = new DecodeModule({ atr: desk.channel.atr, transmit, close: () => desk.channel.close() });
    const request = { amount: 10n * UNIT, currency: 840, refundCap: 0n };
    const results = await Promise.all(
      [desk.accounts, accounts].map((own) =>
        loadCredit({ module: slow, keys: desk.issuer.keys, accounts: own, now: NOVEMBER }, request),
      ),
    );
    expect(new Set(results.map(({ repeated }) => repeated))).toEqual(new Set([false, true]));
    expect(new Set(desk.ordersSent()).size).toBe(1);
    expect(await desk.module.getPurse()).toMatchObject({ loaded: 10n * UNIT, loadNumber: 1 });
  });

  test('what the card would refuse is refused before a number is used', async () => {
    await desk.load(499n * UNIT);
    expect(await expectRefusal(desk.load(UNIT + 1n), 'OVER_MAXIMUM')).toContain(' 1.00 USD');
    expect(desk.ordersSent()).toHaveLength(1);
    expect(await desk.load(UNIT)).toMatchObject({ balance: 500n * UNIT });
    await expectRefusal(desk.load(0n), 'NOTHING_TO_LOAD');
    await expectRefusal(desk.load(UNIT, { currency: 978 }), 'WRONG_CURRENCY');
  });

  test('loading needs the load master alone', async () => {
    for (const name of MASTERS.filter((other) => other !== 'load')) await rm(join(desk.issuer.store, `${name}.key`));
    expect(await desk.load(UNIT)).toMatchObject({ balance: UNIT });
  });

  test('S1 and S3 that were changed on the way are not believed', async () => {
    desk.channel.fail(INS.START_LOAD, (answer) => answer.with(20, 1));
    await expectRefusal(desk.load(UNIT), 'FORGED');
    expect(await desk.accounts.lastOrder(desk.cardId)).toBeUndefined();
    desk.channel.fail(INS.LOAD_CREDIT, (answer) => answer.with(25, 7));
    await expectRefusal(desk.load(UNIT), 'FORGED');
    expect(await desk.accounts.lastOrder(desk.cardId)).toMatchObject({ proved: false });
    expect(await desk.load(UNIT)).toMatchObject({ balance: UNIT, repeated: true });
  });
});
