import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { AesCbc, type CbcFactory } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { CardAuthentication } from '../../../host/headend/requests/card-authentication.ts';
import { deriveSrtpSession } from '../../../host/stream/packet/srtp-keys.ts';
import { loadOpensslCbc } from '../../../host/transport/crypto/node-openssl-cbc.ts';
import { HandCard, HandKeys, ISSUER, SOLD, UPLINK_MASTER } from '../../support/headend/request-desk-fixture.ts';
import { NOW } from '../../support/headend/sample-offer.ts';

let factory: CbcFactory;

beforeAll(async () => {
  factory = (await loadOpensslCbc())!;
});

const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

test('AES-CBC by OpenSSL agrees with JavaScript for keys in any order and all lengths, in place too', () => {
  const step = fc.record({ which: fc.nat({ max: 2 }), blocks: fc.integer({ min: 1, max: 70 }), inPlace: fc.boolean() });
  const keys = fc.array(octets(16), { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(keys, fc.array(step, { maxLength: 12 }), (all, steps) => {
      const ciphers = all.map((key) => [factory(key), new AesCbc(key)] as const);
      for (const { which, blocks, inPlace } of steps) {
        const [openssl, javascript] = ciphers[which]!;
        const data = new Uint8Array(randomBytes(16 * blocks));
        const sealed = javascript.encrypt(data);
        expect(openssl.encrypt(data)).toEqual(sealed);
        expect(openssl.mac(data)).toEqual(javascript.mac(data));
        expect(openssl.mac(data, 16)).toEqual(javascript.mac(data, 16));
        expect(openssl.decrypt(sealed, inPlace ? sealed : undefined)).toEqual(data);
      }
    }),
    { numRuns: 100 },
  );
});

test('gives the right octets while memory is collected and moved', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void;
  for (let round = 0; round < 60; round++) {
    collect({ type: round % 10 === 0 ? 'major' : 'minor' });
    const key = randomBytes(16);
    const [fresh, old, javascript] = [(await loadOpensslCbc())!(key), factory(key), new AesCbc(key)];
    collect({ type: 'minor' });
    const data = randomBytes(16 * (1 + (round % 20)));
    const sealed = javascript.encrypt(data);
    for (const cipher of [fresh, old]) {
      expect(cipher.mac(data)).toEqual(javascript.mac(data));
      expect(Buffer.compare(cipher.decrypt(sealed), data)).toBe(0);
    }
  }
});

test('a desk that checks tags and seals keys by OpenSSL takes, refuses and answers what one in JavaScript does', () => {
  const card = new HandCard(1);
  const masters = new Map([[ISSUER, UPLINK_MASTER]]);
  const [openssl, javascript] = [factory, undefined].map((makeCipher) => ({
    authentication: new CardAuthentication(masters, undefined, makeCipher),
    keys: new HandKeys(makeCipher),
  }));
  const signed = card.sign('join', NOW, NOW + 3600);
  const grant = { sold: SOLD, cardId: card.id, from: NOW, to: NOW + 3600, takeNumber: () => NOW };
  const [message] = openssl!.keys.grant(grant).messages;
  expect(javascript!.keys.grant(grant).messages).toEqual([message]);
  for (const said of [signed, card.confirm(message!), card.leaveRecord(message!, NOW + 60)]) {
    const opened = openssl!.authentication.open(said);
    expect(opened).toHaveProperty('what');
    expect(opened).toEqual(javascript!.authentication.open(said));
    said[said.length - 1]! ^= 1;
    expect(openssl!.authentication.open(said)).toBe('wrong-signature');
  }
});

test('derives the keys of SRTP as JavaScript does', () => {
  for (let round = 0; round < 20; round++) {
    const [key, salt] = [randomBytes(16), randomBytes(12)];
    expect(deriveSrtpSession(key, salt, factory)).toEqual(deriveSrtpSession(key, salt));
  }
});

test('never lets OpenSSL read or write outside of its memory', () => {
  const cipher = factory(new Uint8Array(16));
  expect(() => factory(new Uint8Array(15))).toThrow(RangeError);
  expect(() => cipher.mac(new Uint8Array(16), 32)).toThrow(RangeError);
  expect(() => cipher.mac(new Uint8Array(16), NaN)).toThrow(RangeError);
  expect(() => cipher.decrypt(new Uint8Array(32), new Uint8Array(16))).toThrow(RangeError);
});
