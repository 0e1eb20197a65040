import fc from 'fast-check';
import { assert, expect, test } from 'vitest';
import { encodeCardId } from '../../../apdu/decode-module/card-id.ts';
import { AesCbc } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { signAcknowledgement } from '../../../apdu/decode-module/money/acknowledgement.ts';
import { signLoadOrder, signLoadRequest } from '../../../apdu/decode-module/money/credit-load.ts';
import { signReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import {
  type CardFile,
  encodeCardFile,
  MAX_CARD_FILE,
  parseCardFile,
} from '../../../host/contract/card-files/card-file.ts';

const KEY = new Uint8Array(16).fill(7);
const CARD = encodeCardId({ issuer: 0x0a1b2c, moduleClass: 'card', serial: 7 });
const OTHER = encodeCardId({ issuer: 0x0a1b2c, moduleClass: 'card', serial: 8 });
const ORDER = { cardId: CARD, number: 1, currency: 840, amount: 1n, loadId: new Uint8Array(8) };

function makeReceipt(number: number): Uint8Array {
  const none = { service: 1, session: 1, firstSegment: 1, lastSegment: 1, octets: 0, duration: 0, groups: 0 };
  const money = { amount: 0n, torn: 0n, loaded: 0n, spent: 0n, currency: 840 };
  const receipt = { cardId: CARD, number, ...none, from: 0, to: 0, ...money, reason: 'closed' } as const;
  return signReceipt(receipt, new AesCbc(KEY));
}

function makeRequest(receipts: number): CardFile {
  const counters = { loaded: 0n, spent: 0n, torn: 0n, taken: 0n, lastAmount: 0n, receiptsWritten: receipts };
  const request = { cardId: CARD, number: 0, currency: 840, ...counters, lastLoadId: new Uint8Array(8) };
  return {
    kind: 'load request',
    cardId: CARD,
    messages: [
      { name: 'load-request', octets: signLoadRequest(request, new AesCbc(KEY)) },
      ...Array.from({ length: receipts }, (_, i) => ({ name: 'receipt', octets: makeReceipt(i + 1) }) as const),
    ],
  };
}

function refusalOf(text: string, kind: CardFile['kind'] = 'load request'): string {
  try {
    parseCardFile(text, kind, 'my.file');
  } catch (error) {
    assert(error instanceof TollcastError && error.code === 'CARD_FILE', String(error));
    return error.message;
  }
  return assert.fail('this file was to be refused');
}

test('a file is read as it was written, with a whole ring of receipts and the line ends of any system', () => {
  for (const receipts of [0, 1, 32]) {
    const file = makeRequest(receipts);
    const text = encodeCardFile(file);
    expect(text.length).toBeLessThan(MAX_CARD_FILE / 2 + 1000);
    expect(parseCardFile(text, 'load request', 'my.file')).toEqual(file);
    expect(parseCardFile(`\n${text.replaceAll('\n', '\r\n')}\n`, 'load request', 'my.file')).toEqual(file);
  }
});

test('a file that was changed anywhere, or cut off, is refused', () => {
  const text = encodeCardFile(makeRequest(1)).trimEnd();
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom('0', 'f', 'x', '\u0000', '-'), (at, put) => {
      fc.pre(text[at] !== put && text[at] !== '\n');
      expect(refusalOf(text.slice(0, at) + put + text.slice(at + 1))).toMatch(/my\.file .*; name a file of: tollcast/);
    }),
  );
  for (let length = 0; length < text.length; length += 7) refusalOf(text.slice(0, length));
});

test('a file of another kind says which it is, and who makes the right one', () => {
  const order: CardFile = {
    kind: 'load order',
    cardId: CARD,
    messages: [{ name: 'load-order', octets: signLoadOrder(ORDER, KEY) }],
  };
  expect(refusalOf(encodeCardFile(order))).toBe(
    'my.file holds a load order, not a load request; name a file of: tollcast card request-load',
  );
  expect(refusalOf(encodeCardFile(order).replace('order 1', 'order 2'), 'load order')).toMatch(/is of version 2/);
  expect(refusalOf('an old letter\n')).toMatch(/is not a file of a card and its issuer/);
  expect(refusalOf('x'.repeat(MAX_CARD_FILE + 1))).toMatch(/is too long/);
});

test.each<[string, CardFile['messages']]>([
  ['no message', []],
  ['too many receipts', makeRequest(33).messages],
  ['two requests', [...makeRequest(0).messages, ...makeRequest(0).messages]],
  ['a message of another kind of file', [{ name: 'acknowledgement', octets: signAcknowledgement(CARD, 1, KEY) }]],
  ['a message of another length', [{ name: 'load-request', octets: new Uint8Array(79) }]],
  ['a message of another card', [{ name: 'load-request', octets: new Uint8Array(80) }]],
])('a file with %s is refused, whatever its digest says', (_name, messages) => {
  expect(refusalOf(encodeCardFile({ kind: 'load request', cardId: CARD, messages }))).toMatch(/a damaged line/);
});

test('a file that names another card than its messages is refused', () => {
  expect(refusalOf(encodeCardFile({ ...makeRequest(0), cardId: OTHER }))).toMatch(/a damaged line/);
});
