import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import { type AeadFactory, nobleAead, openRest } from '../../../host/stream/packet/packet-aead.ts';
import { nodeAead } from '../../../host/transport/crypto/node-aead.ts';
import { loadOpensslAead } from '../../../host/transport/crypto/node-openssl-aead.ts';
import vector from '../../vectors/srtp-aead-aes-128-gcm.json' with { type: 'json' };

describe('AEAD_AES_128_GCM by the OpenSSL inside Node', () => {
  let factory: AeadFactory;

  beforeAll(async () => {
    factory = (await loadOpensslAead())!;
  });

  test('RFC 7714 16.1.1', () => {
    const cipher = factory(fromHex(vector.key));
    const iv = fromHex(vector.iv);
    const header = fromHex(vector.header);
    expect(toHex(cipher.seal(iv, header, fromHex(vector.plaintext)))).toBe(vector.sealed);
    expect(toHex(cipher.open(iv, header, fromHex(vector.sealed))!)).toBe(vector.plaintext);
  });

  test('one changed bit or a cut opens nothing, and leaves no plaintext in the memory given', () => {
    const cipher = factory(fromHex(vector.key));
    const iv = fromHex(vector.iv);
    const header = fromHex(vector.header);
    const sealed = fromHex(vector.sealed);
    const out = new Uint8Array(sealed.length);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const forged = sealed.slice();
      forged[bit >> 3]! ^= 1 << (bit & 7);
      expect(cipher.open(iv, header, forged, out.fill(1))).toBeUndefined();
      expect(out.subarray(0, sealed.length - 16).every((octet) => octet === 0)).toBe(true);
    }
    for (let cut = 0; cut < sealed.length; cut++)
      expect(cipher.open(iv, header, sealed.subarray(0, cut))).toBeUndefined();
  });

  test('agrees with node:crypto and noble for keys in any order, with forged packets in between', () => {
    const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    const packet = fc.record({
      which: fc.nat({ max: 2 }),
      iv: octets(12),
      aad: fc.uint8Array({ maxLength: 300 }),
      plaintext: fc.uint8Array({ maxLength: 1400 }),
      forged: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(octets(16), { minLength: 3, maxLength: 3 }), fc.array(packet), (keys, packets) => {
        const ciphers = keys.map((key) => [factory(key), nodeAead(key), nobleAead(key)] as const);
        for (const { which, iv, aad, plaintext, forged } of packets) {
          const [openssl, node, noble] = ciphers[which]!;
          const sealed = openssl.seal(iv, aad, plaintext);
          expect(sealed).toEqual(node.seal(iv, aad, plaintext));
          if (forged) {
            const other = sealed.map((octet, i) => (i === 0 ? octet ^ 1 : octet));
            expect(openssl.open(iv, aad, other)).toBeUndefined();
          }
          expect(openssl.open(iv, aad, sealed)).toEqual(plaintext);
          expect(openssl.open(iv, aad, noble.seal(iv, aad, plaintext))).toEqual(plaintext);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('gives the right octets while memory is collected and moved', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void;
    const ciphers = Array.from({ length: 20 }, () => {
      const key = randomBytes(16);
      return [factory(key), nodeAead(key)] as const;
    });
    for (let round = 0; round < 60; round++) {
      // What is not referred to any more goes, and its memory is used again by what is made next.
      collect({ type: round % 10 === 0 ? 'major' : 'minor' });
      const fresh = (await loadOpensslAead())!;
      for (const [openssl, node] of ciphers) {
        const [iv, aad, plaintext] = [randomBytes(12), randomBytes(12), randomBytes(1 + ((37 * round) % 1400))];
        const sealed = openssl.seal(iv, aad, plaintext);
        expect(sealed).toEqual(node.seal(iv, aad, plaintext));
        collect({ type: 'minor' });
        expect(Buffer.compare(openssl.open(iv, aad, sealed)!, plaintext)).toBe(0);
      }
      const key = randomBytes(16);
      const sealed = nodeAead(key).seal(new Uint8Array(12), new Uint8Array(12), new Uint8Array(100));
      expect(fresh(key).open(new Uint8Array(12), new Uint8Array(12), sealed)).toEqual(new Uint8Array(100));
    }
  });

  test('opens packets where they lie, while memory is collected, and writes nothing beside its place', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void;
    const key = randomBytes(16);
    const [openssl, node] = [factory(key), nodeAead(key)];
    let out = new Uint8Array(4000);
    for (let round = 0; round < 300; round++) {
      // Memory of its own for each packet, large and small, at any offset; what was there before is collected.
      const [restAt, length, offset] = [12 + (round % 40), (53 * round) % 1300, round % 70];
      const plaintext = randomBytes(length);
      const iv = randomBytes(12);
      const memory = randomBytes(offset + restAt + length + 16 + 4);
      const packet = new Uint8Array(memory.buffer, memory.byteOffset + offset);
      packet.set(node.seal(iv, packet.subarray(0, restAt), plaintext), restAt);
      if (round % 20 === 0) out = new Uint8Array(length + 2000 + round);
      out.fill(1);
      if (round % 5 === 0) collect({ type: round % 50 === 0 ? 'major' : 'minor' });
      const end = restAt + length + 16;
      expect(openRest(openssl, iv, packet, restAt, end, out, 7)).toBe(true);
      expect(Buffer.compare(out.subarray(7, 7 + length), plaintext)).toBe(0);
      expect(out.subarray(0, 7).every((octet) => octet === 1)).toBe(true);
      expect(out.subarray(7 + length).every((octet) => octet === 1)).toBe(true);
      packet[round % end]! ^= 1;
      expect(openRest(openssl, iv, packet, restAt, end, out, 7)).toBe(false);
      expect(openRest(node, iv, packet, restAt, end, out, 7)).toBe(false);
      expect(out.subarray(7, 7 + length).every((octet) => octet === 0)).toBe(true);
    }
  });

  test.each([
    ['a packet that ends before its rest', 100, 40, 55, 200, 0],
    ['an end behind the packet', 100, 12, 101, 200, 0],
    ['a rest before the packet', 100, -1, 100, 200, 0],
    ['an output that is too short', 100, 12, 100, 71, 0],
    ['a place behind the output', 100, 12, 100, 100, 29],
    ['a place before the output', 100, 12, 100, 200, -1],
    ['no number', 100, 12, NaN, 200, 0],
  ])('%s is refused before OpenSSL sees an address', (_, packet, restAt, end, out, outAt) => {
    const iv = new Uint8Array(12);
    const [aead, into] = [factory(new Uint8Array(16)), new Uint8Array(out)];
    expect(() => openRest(aead, iv, new Uint8Array(packet), restAt, end, into, outAt)).toThrow(RangeError);
  });

  test('seals a rest where it lies as elsewhere, while memory is collected', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void;
    for (let round = 0; round < 200; round++) {
      const [key, iv, clear] = [randomBytes(16), randomBytes(12), new Uint8Array(randomBytes(40 + 6 * round)).slice()];
      const packet = clear.slice();
      const end = packet.length - 4;
      if (round % 10 === 0) collect({ type: round % 50 === 0 ? 'major' : 'minor' });
      factory(key).sealRest!(iv, packet, 12, end);
      const sealed = nodeAead(key).seal(iv, clear.subarray(0, 12), clear.subarray(12, end - 16));
      expect(toHex(packet)).toBe(toHex(clear.subarray(0, 12)) + toHex(sealed) + toHex(clear.subarray(end)));
      expect(() => factory(key).sealRest!(iv, packet, 12, packet.length + 1)).toThrow(RangeError);
      expect(() => factory(key).sealRest!(iv, packet, end, end)).toThrow(RangeError);
    }
  });

  test('never lets OpenSSL write outside the memory given', () => {
    const cipher = factory(new Uint8Array(16));
    const sealed = cipher.seal(new Uint8Array(12), new Uint8Array(12), new Uint8Array(100));
    expect(() => cipher.open(new Uint8Array(12), new Uint8Array(12), sealed, new Uint8Array(99))).toThrow(RangeError);
    expect(() => cipher.open(new Uint8Array(11), new Uint8Array(12), sealed)).toThrow(RangeError);
    expect(() => factory(new Uint8Array(15))).toThrow(RangeError);
  });
});
