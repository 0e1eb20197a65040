import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { toHex } from '../../../apdu/octets.ts';
import { putKey } from '../../../apdu/secure-channel/put-key.ts';
import { openSecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import type { CardKind } from '../../../card-sim/index.ts';
import { expectRefusal, IssuerDesk, NOVEMBER, UNIT } from '../../support/issuer-desk.ts';

/** The id of the nth card: serials begin with the second in which the first one was made. */
function nthCard(n: number): string {
  return `0a1b2c01${(NOVEMBER + n - 1).toString(16)}`;
}

describe.each<CardKind>(['soft', 'jcardsim'])('on %s', (kind) => {
  let desk: IssuerDesk;

  beforeEach(async () => {
    desk = await IssuerDesk.withCard(kind);
    return () => desk.close();
  });

  test('a blank card becomes active, with its id, currency and maximum balance', async () => {
    expect(toHex(desk.cardId)).toBe(nthCard(1));
    expect(await desk.module.select()).toMatchObject({ life: 'active', currency: 840, cardId: desk.cardId });
    expect(await desk.module.getPurse()).toMatchObject({ loaded: 0n, maximumBalance: 500n * UNIT });
  });

  test('a card is personalised once, and the second attempt spends no card id', async () => {
    await expectRefusal(desk.makeCard(), 'NOT_BLANK');
    await desk.insertBlank(kind);
    expect(toHex(await desk.makeCard())).toBe(nthCard(2));
  });

  test('no card id is given twice, though the card was pulled before it had the first', async () => {
    await desk.insertBlank(kind);
    desk.channel.fail(INS.STORE_DATA, 'command lost');
    await expectRefusal(desk.makeCard(), 'CARD_GONE');
    await desk.reconnect();
    expect(toHex(await desk.makeCard())).toBe(nthCard(3));
    expect((await desk.load(10n * UNIT)).balance).toBe(10n * UNIT);
  });

  test.each([
    ['STORE_DATA', 'answer lost', 0],
    ['PUT_KEY', 'command lost', 0],
    ['PUT_KEY', 'answer lost', 0],
    ['STORE_DATA', 'command lost', 1],
    ['STORE_DATA', 'answer lost', 1],
    ['SET_STATUS', 'command lost', 0],
    ['SET_STATUS', 'answer lost', 0],
  ] as const)(
    'a card that was pulled at %s, %s, after %i of them, goes on where it stood',
    async (ins, fault, after) => {
      await desk.insertBlank(kind);
      desk.channel.fail(INS[ins], fault, after);
      await expectRefusal(desk.makeCard(), 'CARD_GONE');
      await desk.reconnect();
      if (ins === 'SET_STATUS' && fault === 'answer lost') await expectRefusal(desk.makeCard(), 'NOT_BLANK');
      else expect(toHex(await desk.makeCard())).toBe(nthCard(2));
      expect((await desk.load(10n * UNIT)).balance).toBe(10n * UNIT);
    },
  );

  test('no card id is spent when a master is missing or an amount does not fit', async () => {
    await desk.insertBlank(kind);
    await expectRefusal(desk.makeCard({ maximumBalance: 2n ** 39n }), 'OUT_OF_RANGE');
    await copyFile(join(desk.issuer.store, 'load.key'), join(desk.issuer.store, 'load.away'));
    await rm(join(desk.issuer.store, 'load.key'));
    await expectRefusal(desk.makeCard(), 'NO_MASTER');
    await copyFile(join(desk.issuer.store, 'load.away'), join(desk.issuer.store, 'load.key'));
    expect(toHex(await desk.makeCard())).toBe(nthCard(2));
  });
  test('no card keeps the channel keys that everyone knows', async () => {
    await desk.module.select();
    const known = openSecureChannel(desk.channel, TEST_KEY_SET);
    await expect(known).rejects.toMatchObject({ code: 'NO_KEY_SET' });
  });

  test('a card that was installed with other keys is refused, and no card id is spent on it', async () => {
    await desk.insertBlank(kind);
    await desk.module.select();
    const other = { ...TEST_KEY_SET, version: 5, enc: new Uint8Array(16) };
    await putKey(await openSecureChannel(desk.channel, TEST_KEY_SET), TEST_KEY_SET, other);
    await expectRefusal(desk.makeCard(), 'CHANNEL_KEYS');
    expect(toHex(await desk.makeCard({ installed: other }))).toBe(nthCard(2));
  });
});
