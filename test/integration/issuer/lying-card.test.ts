import { afterEach, beforeEach, expect, test } from 'vitest';
import { INS } from '../../../apdu/decode-module/instruction.ts';
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
import { openReceipt, type Receipt, signReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { concat } from '../../../apdu/octets.ts';
import { expectRefusal, IssuerDesk, UNIT } from '../../support/issuer-desk.ts';
import { makeCardMemory } from '../../support/issuer-fixture.ts';

const OTHER_CARD = new Uint8Array(8).fill(0x0a);

let desk: IssuerDesk;

beforeEach(async () => {
  desk = await IssuerDesk.open();
  desk.insertMemory(makeCardMemory());
  await desk.makeCard();
  await desk.load(10n * UNIT);
});

afterEach(() => desk.close());

/** Changes the next answer to `ins`, and signs it as the card would. */
async function lie(ins: number, keyName: CardKeyName, say: (answer: Uint8Array, key: Uint8Array) => Uint8Array) {
  const key = deriveCardKey(await desk.issuer.keys.open(CARD_KEYS[keyName]), keyName, desk.cardId);
  desk.channel.fail(ins, (answer) => concat(say(answer.subarray(0, -2), key), answer.subarray(-2)));
}

test.each<[string, Partial<LoadRequest>]>([
  ['another card', { cardId: OTHER_CARD }],
  ['another currency', { currency: 978 }],
  ['more than was loaded', { loaded: 11n * UNIT }],
  ['another load than the last', { lastLoadId: new Uint8Array(8) }],
])('a card with the right keys that tells of %s in S1 gets no order', async (_what, change) => {
  await lie(INS.START_LOAD, 'load-out', (answer, key) =>
    signLoadRequest({ ...openLoadRequest(answer, key), ...change }, new AesCbc(key)),
  );
  desk.channel.sent.length = 0;
  await expectRefusal(desk.load(10n * UNIT), 'ACCOUNTS_DISAGREE');
  expect(desk.channel.sent.map((command) => command[1])).not.toContain(INS.LOAD_CREDIT);
  expect(await desk.accounts.lastOrder(desk.cardId)).toMatchObject({ number: 1 });
});

test.each<[string, Partial<LoadOrder>]>([
  ['another card', { cardId: OTHER_CARD }],
  ['another number', { number: 3 }],
  ['another currency', { currency: 978 }],
  ['another amount', { amount: 9n * UNIT }],
  ['another order', { loadId: new Uint8Array(8) }],
])('a card with the right keys that tells of %s in S3 proves nothing', async (_what, change) => {
  await lie(INS.LOAD_CREDIT, 'load-out', (answer, key) =>
    signLoadProof(signLoadOrder({ ...openLoadProof(answer, key), ...change }, key), new AesCbc(key)),
  );
  await expectRefusal(desk.load(10n * UNIT), 'ACCOUNTS_DISAGREE');
  expect(await desk.accounts.lastOrder(desk.cardId)).toMatchObject({ number: 2, proved: false });
});

test.each<[string, Partial<Receipt>]>([
  ['another card', { cardId: OTHER_CARD }],
  ['another number', { number: 2 }],
  ['another currency', { currency: 978 }],
  ['more than was spent', { amount: UNIT }],
  ['more spent than the receipts come to', { spent: UNIT }],
])('a receipt under the right key that tells of %s is not believed, and stays on the card', async (_what, change) => {
  await desk.watchAndClose(1);
  await lie(INS.GET_RECEIPT, 'receipt', (answer, key) =>
    signReceipt({ ...openReceipt(answer, key), ...change }, new AesCbc(key)),
  );
  await expectRefusal(desk.collect(), 'RECEIPTS_DISAGREE');
  expect(await desk.accounts.receiptTotals(desk.cardId)).toEqual({ last: 0, amount: 0n, torn: 0n });
  expect(await desk.module.getPurse()).toMatchObject({ receiptsDue: 1 });
});
