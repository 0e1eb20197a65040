import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { MASTERS } from '../../../apdu/decode-module/keys/card-keys.ts';
import type { CardKind } from '../../../card-sim/index.ts';
import { expectRefusal, IssuerDesk, UNIT } from '../../support/issuer-desk.ts';

describe.each<CardKind>(['soft', 'jcardsim'])('on %s', (kind) => {
  let desk: IssuerDesk;

  beforeEach(async () => {
    desk = await IssuerDesk.withCard(kind);
    await desk.load(100n * UNIT);
    return () => desk.close();
  });

  test('receipts are kept, and the card may forget them', async () => {
    await desk.watch(5);
    await desk.watch(1);
    const { receipts } = await desk.collect();
    expect(receipts).toMatchObject([
      { number: 1, octets: 5_000_000, amount: 1_250_000n, torn: 0n, reason: 'closed' },
      { number: 2, octets: 1_000_000, amount: 250_000n, torn: 0n, reason: 'closed' },
    ]);
    expect(await desk.module.getPurse()).toMatchObject({ receiptsWritten: 2, receiptsDue: 0, unacknowledged: 0n });
    expect(await desk.accounts.receiptTotals(desk.cardId)).toEqual({ last: 2, amount: 1_500_000n, torn: 0n });
  });

  test('a torn session has a receipt that says so', async () => {
    await desk.watch(5);
    await desk.tear(5);
    const { receipts } = await desk.collect();
    expect(receipts.map(({ number, reason, amount, torn }) => ({ number, reason, amount, torn }))).toEqual([
      { number: 1, reason: 'closed', amount: 1_250_000n, torn: 0n },
      { number: 2, reason: 'torn', amount: UNIT, torn: UNIT },
    ]);
    expect(await desk.accounts.receiptTotals(desk.cardId)).toEqual({ last: 2, amount: 2_250_000n, torn: UNIT });
    expect((await desk.collect()).receipts).toEqual([]);
  });

  test('collecting goes on where it was interrupted', async () => {
    await desk.watch(5);
    desk.channel.fail(INS.ACKNOWLEDGE_RECEIPTS, 'command lost');
    await expectRefusal(desk.collect(), 'CARD_GONE');
    expect(await desk.accounts.receiptTotals(desk.cardId)).toMatchObject({ last: 1 });
    expect(await desk.module.getPurse()).toMatchObject({ receiptsDue: 1 });
    expect((await desk.collect()).receipts).toEqual([]);
    expect(await desk.module.getPurse()).toMatchObject({ receiptsDue: 0 });
  });

  test('a full ring of receipts is collected', async () => {
    for (let i = 0; i < 32; i++) await desk.watch(1);
    const { receipts } = await desk.collect();
    expect(receipts.map(({ number }) => number)).toEqual(Array.from({ length: 32 }, (_, index) => index + 1));
  });

  test('a receipt that was changed is neither kept nor acknowledged', async () => {
    await desk.watch(5);
    desk.channel.fail(INS.GET_RECEIPT, (answer) => answer.with(61, 1));
    await expectRefusal(desk.collect(), 'FORGED');
    expect(await desk.accounts.receiptTotals(desk.cardId)).toMatchObject({ last: 0 });
    await desk.module.select();
    expect(await desk.module.getPurse()).toMatchObject({ receiptsDue: 1 });
  });

  test('collecting needs the receipt master alone', async () => {
    await desk.watch(5);
    for (const name of MASTERS.filter((other) => other !== 'receipt')) await rm(join(desk.issuer.store, `${name}.key`));
    expect((await desk.collect()).receipts).toHaveLength(1);
  });
});
