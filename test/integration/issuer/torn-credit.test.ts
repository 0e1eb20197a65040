import { beforeEach, describe, expect, test } from 'vitest';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import type { CardKind } from '../../../card-sim/index.ts';
import { DECEMBER, expectRefusal, IssuerDesk, UNIT } from '../../support/issuer-desk.ts';

describe.each<CardKind>(['soft', 'jcardsim'])('on %s', (kind) => {
  let desk: IssuerDesk;

  beforeEach(async () => {
    desk = await IssuerDesk.withCard(kind);
    await desk.load(100n * UNIT);
    return () => desk.close();
  });

  test('torn credit comes back once, with the next load', async () => {
    await desk.tear();
    expect(await desk.load(10n * UNIT)).toMatchObject({ amount: 10n * UNIT, refund: UNIT, balance: 110n * UNIT });
    expect(await desk.module.getPurse()).toMatchObject({ loaded: 111n * UNIT, spent: UNIT, torn: UNIT });
    expect(await desk.load(10n * UNIT)).toMatchObject({ refund: 0n });
  });

  test('torn credit comes back without a load', async () => {
    await desk.tear();
    expect(await desk.load(0n)).toMatchObject({ amount: 0n, refund: UNIT, balance: 100n * UNIT });
  });

  test('torn credit comes back up to the cap of a month, the rest in the next', async () => {
    for (let i = 0; i < 7; i++) await desk.tear();
    expect(await desk.load(UNIT)).toMatchObject({ refund: 5n * UNIT });
    expect(await desk.load(UNIT, { now: DECEMBER - 1 })).toMatchObject({ refund: 0n });
    expect(await desk.load(UNIT, { now: DECEMBER })).toMatchObject({ refund: 2n * UNIT });
    expect(await desk.load(UNIT, { now: DECEMBER })).toMatchObject({ refund: 0n });
    const { loaded, balance, torn } = await desk.module.getPurse();
    expect({ loaded, balance, torn }).toEqual({ loaded: 111n * UNIT, balance: 104n * UNIT, torn: 7n * UNIT });
  });

  test('a refund whose proof was lost is not given twice', async () => {
    await desk.tear();
    desk.channel.fail(INS.LOAD_CREDIT, 'answer lost');
    await expectRefusal(desk.load(UNIT), 'CARD_GONE');
    await desk.tear();
    expect(await desk.load(UNIT)).toMatchObject({ refund: UNIT, repeated: true });
    expect(await desk.load(UNIT)).toMatchObject({ refund: UNIT, repeated: false });
    expect(await desk.module.getPurse()).toMatchObject({ loaded: 104n * UNIT, torn: 2n * UNIT });
  });

  test('a refund never passes the maximum balance; what does not fit waits', async () => {
    await desk.tear();
    expect(await desk.load(400n * UNIT + UNIT / 2n)).toMatchObject({ refund: UNIT / 2n, balance: 500n * UNIT });
    await desk.watch(2);
    expect(await desk.load(0n)).toMatchObject({ refund: UNIT / 2n, balance: 500n * UNIT });
  });
});
