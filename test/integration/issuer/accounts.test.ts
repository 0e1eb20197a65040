import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, expect, test } from 'vitest';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import type { CardKind } from '../../../card-sim/index.ts';
import { expectRefusal, ISSUER, IssuerDesk, UNIT } from '../../support/issuer-desk.ts';
import { startIssuer } from '../../support/issuer-fixture.ts';

describe.each<CardKind>(['soft', 'jcardsim'])('on %s', (kind) => {
  let desk: IssuerDesk;

  beforeEach(async () => {
    desk = await IssuerDesk.withCard(kind);
    return () => desk.close();
  });

  test('a blank card and a card of another issuer are refused', async () => {
    const other = await startIssuer(ISSUER + 1);
    const namesake = await startIssuer(ISSUER);
    try {
      await expectRefusal(desk.load(UNIT, { from: other }), 'WRONG_ISSUER');
      await expectRefusal(desk.collect(other), 'WRONG_ISSUER');
      await expectRefusal(desk.load(UNIT, { from: namesake }), 'NOT_IN_ACCOUNTS');
      await desk.insertBlank(kind);
      await expectRefusal(desk.load(UNIT), 'BLANK');
      // A card of the namesake has the card id of ours, and other keys.
      await desk.makeCard({ from: namesake });
      await expectRefusal(desk.load(UNIT), 'FORGED');
    } finally {
      await other.close();
      await namesake.close();
    }
  });

  test.each([
    ['another amount', 20n * UNIT],
    ['the same amount', 10n * UNIT],
  ])('accounts sign nothing after another copy of them ordered %s', async (_, amount) => {
    const putBackOther = await desk.copyAccounts();
    desk.channel.fail(INS.LOAD_CREDIT, 'command lost');
    await expectRefusal(desk.load(10n * UNIT), 'CARD_GONE');
    const putBackOurs = await desk.copyAccounts();
    await putBackOther();
    await desk.load(amount);
    await putBackOurs();
    const signed = desk.ordersSent().length;
    await expectRefusal(desk.load(10n * UNIT), 'ACCOUNTS_DISAGREE');
    expect(desk.ordersSent()).toHaveLength(signed);
  });

  test('accounts that were tampered with sign nothing', async () => {
    await desk.load(10n * UNIT);
    using database = new DatabaseSync(join(desk.issuer.store, 'accounts.sqlite'));
    database.exec('UPDATE load_order SET asked = asked - 1');
    await expectRefusal(desk.load(10n * UNIT), 'ACCOUNTS_DISAGREE');
    expect(desk.ordersSent()).toHaveLength(1);
  });

  test('accounts that were put back to an older copy sign nothing', async () => {
    await desk.load(10n * UNIT);
    const putBackOld = await desk.copyAccounts();
    await desk.load(10n * UNIT);
    await putBackOld();
    const signed = desk.ordersSent().length;
    await expectRefusal(desk.load(10n * UNIT), 'ACCOUNTS_BEHIND');
    expect(desk.ordersSent()).toHaveLength(signed);
  });
});
