import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AesCbc } from '../../../../apdu/decode-module/keys/aes-cbc.ts';
import { OutOfRangeError } from '../../../../apdu/errors.ts';
import { fromHex, toHex } from '../../../../apdu/octets.ts';
import { nobleAead, type PacketAead } from '../../../../host/stream/packet/packet-aead.ts';
import { parseRtpHeader } from '../../../../host/stream/packet/rtp-packet.ts';
import { deriveSrtpKey, deriveSrtpSession, computePacketIv } from '../../../../host/stream/packet/srtp-keys.ts';
import { nodeAead } from '../../../../host/transport/crypto/node-aead.ts';
import aead from '../../../vectors/srtp-aead-aes-128-gcm.json' with { type: 'json' };
import derivation from '../../../vectors/srtp-key-derivation.json' with { type: 'json' };

const octets = (constraints: fc.IntArrayConstraints): fc.Arbitrary<Uint8Array> => fc.uint8Array(constraints);

describe('key derivation, RFC 3711 B.3', () => {
  test.each(derivation.derived)('$name', ({ label, octets: expected }) => {
    const master = new AesCbc(fromHex(derivation.masterKey));
    const derived = deriveSrtpKey(master, fromHex(derivation.masterSalt), label, expected.length / 2);
    expect(toHex(derived)).toBe(expected);
  });

  test('a salt of 12 octets is the same as one of 14 that ends in zeros', () => {
    const key = fromHex(derivation.masterKey);
    const salt = fromHex(derivation.masterSalt).subarray(0, 12);
    const padded = new Uint8Array(14);
    padded.set(salt);
    expect(deriveSrtpSession(key, salt)).toEqual({
      key: deriveSrtpKey(new AesCbc(key), padded, 0, 16),
      salt: deriveSrtpKey(new AesCbc(key), padded, 2, 12),
    });
  });

  test('refuses a salt of another length', () => {
    expect(() => deriveSrtpSession(new Uint8Array(16), new Uint8Array(11))).toThrow(OutOfRangeError);
  });
});

describe.each([
  ['noble', nobleAead],
  ['node:crypto', nodeAead],
])('AEAD_AES_128_GCM by %s, RFC 7714 16.1.1', (_name, factory) => {
  const header = fromHex(aead.header);
  const { ssrc, sequence } = parseRtpHeader(header);
  const iv = computePacketIv(fromHex(aead.salt), ssrc, aead.roc * 0x10000 + sequence);
  const plaintext = fromHex(aead.plaintext);
  const sealed = fromHex(aead.sealed);

  test('the IV', () => expect(toHex(iv)).toBe(aead.iv));

  test('seals and opens', () => {
    const cipher = factory(fromHex(aead.key));
    expect(toHex(cipher.seal(iv, header, plaintext))).toBe(aead.sealed);
    expect(toHex(cipher.open(iv, header, sealed)!)).toBe(aead.plaintext);
  });

  test('writes into memory of the caller, also into that of the input', () => {
    const cipher = factory(fromHex(aead.key));
    const memory = new Uint8Array(sealed.length);
    memory.set(plaintext);
    cipher.seal(iv, header, memory.subarray(0, plaintext.length), memory);
    expect(toHex(memory)).toBe(aead.sealed);
    cipher.open(iv, header, memory, memory.subarray(0, plaintext.length));
    expect(toHex(memory.subarray(0, plaintext.length))).toBe(aead.plaintext);
  });

  test('opens nothing when one bit is changed anywhere, or the end is missing', () => {
    const cipher = factory(fromHex(aead.key));
    const opens = (c: PacketAead, i: Uint8Array, a: Uint8Array, s: Uint8Array) => c.open(i, a, s) !== undefined;
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const forged = sealed.slice();
      forged[bit >> 3]! ^= 1 << (bit & 7);
      expect(opens(cipher, iv, header, forged)).toBe(false);
    }
    for (let cut = 0; cut < sealed.length; cut++)
      expect(opens(cipher, iv, header, sealed.subarray(0, cut))).toBe(false);
    expect(opens(cipher, iv, header.with(1, 0), sealed)).toBe(false);
    expect(opens(cipher, iv.with(0, 0), header, sealed)).toBe(false);
  });
});

test('noble and node:crypto give the same answers', () => {
  const key = octets({ minLength: 16, maxLength: 16 });
  const iv = octets({ minLength: 12, maxLength: 12 });
  const aad = octets({ maxLength: 300 });
  fc.assert(
    fc.property(key, iv, aad, octets({ maxLength: 1400 }), (k, i, a, plaintext) => {
      const sealed = nodeAead(k).seal(i, a, plaintext);
      expect(nobleAead(k).seal(i, a, plaintext)).toEqual(sealed);
      expect(nobleAead(k).open(i, a, sealed)).toEqual(plaintext);
      expect(Uint8Array.from(nodeAead(k).open(i, a, sealed)!)).toEqual(plaintext);
    }),
    { numRuns: 200 },
  );
});
