import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { AesCbc, type CbcFactory } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { loadOpensslCbc } from '../../../host/transport/crypto/node-openssl-cbc.ts';

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

test('never lets OpenSSL read or write outside of its memory', () => {
  const cipher = factory(new Uint8Array(16));
  expect(() => factory(new Uint8Array(15))).toThrow(RangeError);
  expect(() => cipher.mac(new Uint8Array(16), 32)).toThrow(RangeError);
  expect(() => cipher.mac(new Uint8Array(16), NaN)).toThrow(RangeError);
  expect(() => cipher.decrypt(new Uint8Array(32), new Uint8Array(16))).toThrow(RangeError);
});
