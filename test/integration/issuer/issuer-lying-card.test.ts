import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AesCbc } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { type CardKeyName, CARD_KEYS, deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import {
  type LoadOrder,
  type LoadRequest,
  openLoadProof,
  openLoadRequest,
  signLoadOrder,
  signLoadProof,
  signLoadRequest,
} from '../../../apdu/decode-module/money/credit-load.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { openReceipt, type Receipt, signReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { concat } from '../../../apdu/octets.ts';
import { SoftCard } from '../../../card-sim/index.ts';
import { loadCredit } from '../../../host/issuer/orders/credit.ts';
import { collectReceipts } from '../../../host/issuer/orders/receipts.ts';
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
const OTHER_CARD = new Uint8Array(8).fill(0x0a);

let issuer: IssuerFixture;
let channel: FaultyChannel;
let module: DecodeModule;
let cardId: Uint8Array;

beforeEach(async () => {
  issuer = await startIssuer(0x0a1b2c);
  channel = new FaultyChannel(new SoftChannel(new SoftCard(makeCardMemory())));
  module = new DecodeModule(channel);
  cardId = await issueCard(issuer, channel, NOVEMBER);
  await load();
});

afterEach(() => issuer.close());

function load(): Promise<unknown> {
  return loadCredit({ ...issuer, module, now: NOVEMBER }, { amount: 10n * UNIT, currency: 840, refundCap: 0n });
}

/** The next answer to `ins` is signed as the card would, and says something else. */
async function lie(ins: number, keyName: CardKeyName, say: (answer: Uint8Array, key: Uint8Array) => Uint8Array) {
  const key = deriveCardKey(await issuer.keys.open(CARD_KEYS[keyName]), keyName, cardId);
  channel.fail(ins, (answer) => concat(say(answer.subarray(0, -2), key), answer.subarray(-2)));
}

describe('a card with the right keys that says what is not so', () => {
  test.each<[string, Partial<LoadRequest>]>([
    ['another card', { cardId: OTHER_CARD }],
    ['another currency', { currency: 978 }],
    ['more than was loaded', { loaded: 11n * UNIT }],
    ['another load than the last', { lastLoadId: new Uint8Array(8) }],
  ])('in S1, %s: gets no order', async (_what, change) => {
    await lie(INS.START_LOAD, 'load-out', (answer, key) =>
      signLoadRequest({ ...openLoadRequest(answer, key), ...change }, new AesCbc(key)),
    );
    channel.sent.length = 0;
    await expect(load()).rejects.toMatchObject({ code: 'ACCOUNTS_DISAGREE' });
    expect(channel.sent.map((command) => command[1])).not.toContain(INS.LOAD_CREDIT);
    expect(await issuer.accounts.lastOrder(cardId)).toMatchObject({ number: 1 });
  });

  test.each<[string, Partial<LoadOrder>]>([
    ['another card', { cardId: OTHER_CARD }],
    ['another number', { number: 3 }],
    ['another currency', { currency: 978 }],
    ['another amount', { amount: 9n * UNIT }],
    ['another order', { loadId: new Uint8Array(8) }],
  ])('in S3, %s: proves nothing', async (_what, change) => {
    await lie(INS.LOAD_CREDIT, 'load-out', (answer, key) =>
      signLoadProof(signLoadOrder({ ...openLoadProof(answer, key), ...change }, key), new AesCbc(key)),
    );
    await expect(load()).rejects.toMatchObject({ code: 'ACCOUNTS_DISAGREE' });
    expect(await issuer.accounts.lastOrder(cardId)).toMatchObject({ number: 2, proved: false });
  });

  test.each<[string, Partial<Receipt>]>([
    ['another card', { cardId: OTHER_CARD }],
    ['another number', { number: 2 }],
    ['another currency', { currency: 978 }],
    ['more than was spent', { amount: UNIT }],
    ['more spent than the receipts come to', { spent: UNIT }],
  ])('in a receipt, %s: is not believed, and keeps its receipt', async (_what, change) => {
    await watch(module, await issuer.keys.open('unique'), cardId, [1_000_000]);
    await module.closeSession();
    await lie(INS.GET_RECEIPT, 'receipt', (answer, key) =>
      signReceipt({ ...openReceipt(answer, key), ...change }, new AesCbc(key)),
    );
    await expect(collectReceipts(module, issuer.keys, issuer.accounts)).rejects.toMatchObject({
      code: 'RECEIPTS_DISAGREE',
    });
    expect(await issuer.accounts.receiptTotals(cardId)).toEqual({ last: 0, amount: 0n, torn: 0n });
    expect(await module.purse()).toMatchObject({ receiptsDue: 1 });
  });
});
