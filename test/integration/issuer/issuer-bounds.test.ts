import { afterEach, beforeEach, expect, test } from 'vitest';
import { AesCbc } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { openLoadRequest, signLoadRequest } from '../../../apdu/decode-module/money/credit-load.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { concat } from '../../../apdu/octets.ts';
import { SoftCard } from '../../../card-sim/index.ts';
import { loadCredit, type LoadResult } from '../../../host/issuer/orders/credit.ts';
import { SoftChannel } from '../../../host/transport/card/soft/soft-channel.ts';
import {
  makeCardMemory,
  FaultyChannel,
  issueCard,
  type IssuerFixture,
  startIssuer,
  watch,
} from '../../support/issuer-fixture.ts';

const UNIT = 1_000_000n;
const NOVEMBER = Date.UTC(2026, 10, 5) / 1000;
const DECEMBER = Date.UTC(2026, 11) / 1000;

let issuer: IssuerFixture;
let channel: FaultyChannel;
let module: DecodeModule;
let cardId: Uint8Array;
let insert: () => void;

beforeEach(async () => {
  issuer = await startIssuer(0x0a1b2c);
  const eeprom = makeCardMemory();
  insert = () => {
    channel = new FaultyChannel(new SoftChannel(new SoftCard(eeprom)));
    module = new DecodeModule(channel);
  };
  insert();
  cardId = await issueCard(issuer, channel, NOVEMBER);
});

afterEach(() => issuer.close());

function load(amount: bigint, now: number): Promise<LoadResult> {
  return loadCredit({ ...issuer, module, now }, { amount, currency: 840, refundCap: 2n * UNIT });
}

test('what is refunded in the first second of a month counts in that month', async () => {
  await load(100n * UNIT, NOVEMBER);
  for (let torn = 0; torn < 5; torn++) {
    await watch(module, await issuer.keys.open('unique'), cardId, [1]);
    insert();
  }
  expect(await load(UNIT, DECEMBER)).toMatchObject({ refund: 2n * UNIT });
  expect(await load(UNIT, DECEMBER)).toMatchObject({ refund: 0n });
  expect(await load(UNIT, DECEMBER + 86_400)).toMatchObject({ refund: 0n });
});

test('a card is loaded with no more in its life than 2^48 - 2^39, whatever its balance', async () => {
  const loaded = 2n ** 48n - 2n ** 39n - 5n * UNIT;
  const loadId = new Uint8Array(8).fill(7);
  await issuer.accounts.addOrder(cardId, {
    kind: 'load',
    number: 1,
    loadId,
    asked: loaded,
    refund: 0n,
    signedAt: NOVEMBER,
  });
  await issuer.accounts.recordProof(cardId, 1);
  const loadOutKey = deriveCardKey(await issuer.keys.open('load'), 'load-out', cardId);
  // The card of a holder who has spent all that in years.
  channel.fail(INS.START_LOAD, (answer) => {
    const request = openLoadRequest(answer.subarray(0, -2), loadOutKey);
    const old = { ...request, number: 1, loaded, spent: loaded, lastLoadId: loadId, lastAmount: loaded };
    return concat(signLoadRequest(old, new AesCbc(loadOutKey)), answer.subarray(-2));
  });
  await expect(load(6n * UNIT, NOVEMBER)).rejects.toMatchObject({
    code: 'OVER_MAXIMUM',
    message: expect.stringContaining('takes at most 5.00 USD more') as string,
  });
  expect(await issuer.accounts.lastOrder(cardId)).toMatchObject({ number: 1 });
});
