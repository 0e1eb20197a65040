import { afterEach, beforeEach, expect, test } from 'vitest';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { AesCbc } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { openLoadRequest, signLoadRequest } from '../../../apdu/decode-module/money/credit-load.ts';
import { concat } from '../../../apdu/octets.ts';
import type { CardStore } from '../../../card-sim/index.ts';
import { DECEMBER, IssuerDesk, NOVEMBER, UNIT } from '../../support/issuer-desk.ts';
import { makeCardMemory } from '../../support/issuer-fixture.ts';

/** Refunds of a month. */
const CAP = 2n * UNIT;

let desk: IssuerDesk;
let memory: CardStore;

beforeEach(async () => {
  desk = await IssuerDesk.open();
  memory = makeCardMemory();
  desk.insertMemory(memory);
  await desk.makeCard();
});

afterEach(() => desk.close());

test('what is refunded in the first second of a month counts in that month', async () => {
  await desk.load(100n * UNIT);
  for (let torn = 0; torn < 5; torn++) {
    await desk.watch(1);
    desk.insertMemory(memory);
  }
  expect(await desk.load(UNIT, { now: DECEMBER, refundCap: CAP })).toMatchObject({ refund: 2n * UNIT });
  expect(await desk.load(UNIT, { now: DECEMBER, refundCap: CAP })).toMatchObject({ refund: 0n });
  expect(await desk.load(UNIT, { now: DECEMBER + 86_400, refundCap: CAP })).toMatchObject({ refund: 0n });
});

test('a card is loaded with no more in its life than 2^48 - 2^39, whatever its balance', async () => {
  const loaded = 2n ** 48n - 2n ** 39n - 5n * UNIT;
  const loadId = new Uint8Array(8).fill(7);
  await desk.accounts.addOrder(desk.cardId, {
    kind: 'load',
    number: 1,
    loadId,
    asked: loaded,
    refund: 0n,
    signedAt: NOVEMBER,
  });
  await desk.accounts.recordProof(desk.cardId, 1);
  const loadOutKey = deriveCardKey(await desk.issuer.keys.open('load'), 'load-out', desk.cardId);
  // The card of a holder who has spent all that in years.
  desk.channel.fail(INS.START_LOAD, (answer) => {
    const request = openLoadRequest(answer.subarray(0, -2), loadOutKey);
    const old = { ...request, number: 1, loaded, spent: loaded, lastLoadId: loadId, lastAmount: loaded };
    return concat(signLoadRequest(old, new AesCbc(loadOutKey)), answer.subarray(-2));
  });
  await expect(desk.load(6n * UNIT)).rejects.toMatchObject({
    code: 'OVER_MAXIMUM',
    message: expect.stringContaining('takes at most 5.00 USD more') as string,
  });
  expect(await desk.accounts.lastOrder(desk.cardId)).toMatchObject({ number: 1 });
});
