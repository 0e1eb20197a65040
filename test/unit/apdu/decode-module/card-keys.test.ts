import { cmac } from '@noble/ciphers/aes.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CardKeyName,
  CARD_KEYS,
  deriveByCounter,
  deriveCardKey,
} from '../../../../apdu/decode-module/keys/card-keys.ts';
import { Cmac } from '../../../../apdu/decode-module/keys/cmac.ts';
import { fromHex, toHex } from '../../../../apdu/octets.ts';
import rfc4493 from '../../../vectors/aes-cmac-rfc4493.json' with { type: 'json' };
import cardKeys from '../../../vectors/card-keys.json' with { type: 'json' };
import cavp from '../../../vectors/sp800-108-cmac-aes128.json' with { type: 'json' };

test.each(rfc4493.vectors)('AES-CMAC of RFC 4493 4, $message', ({ message, tag }) => {
  expect(toHex(new Cmac(fromHex(rfc4493.key)).compute(fromHex(message)))).toBe(tag);
});

test('AES-CMAC of many messages under one key is that of another implementation', () => {
  const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  fc.assert(
    fc.property(octets(16), fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 5 }), (key, messages) => {
      const ours = new Cmac(key);
      expect(messages.map((message) => ours.compute(message))).toEqual(messages.map((message) => cmac(message, key)));
    }),
  );
});

test.each(cavp.vectors)('SP 800-108 counter mode, CAVP $count', ({ key, fixedInput, output }) => {
  expect(toHex(deriveByCounter(fromHex(key), fromHex(fixedInput)))).toBe(output);
});

describe.each(cardKeys.cards)('keys of card $cardId', ({ cardId, keys }) => {
  test.each(Object.entries(keys))('%s', (name, key) => {
    const keyName = name as CardKeyName;
    const master = fromHex(cardKeys.masters[CARD_KEYS[keyName]]);
    expect(toHex(deriveCardKey(master, keyName, fromHex(cardId)))).toBe(key);
  });
});

test('no two keys of the vectors are alike', () => {
  const all = cardKeys.cards.flatMap(({ keys }) => Object.values(keys));
  expect(new Set(all).size).toBe(18);
});

test('a blank card has no keys, and a master has 16 octets', () => {
  expect(() => deriveCardKey(new Uint8Array(16), 'uplink', new Uint8Array(8))).toThrow(/class 0 is neither/);
  expect(() => deriveCardKey(new Uint8Array(32), 'uplink', fromHex('0a1b2c0100000007'))).toThrow(/16 octets/);
});
