import { AesCbc, type CbcCipher, type CbcFactory } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import { writeUint } from '../../../apdu/octets.ts';

/** The labels of RFC 3711 4.3.1 that SRTP with AEAD_AES_128_GCM uses. */
const LABEL = { encryption: 0, salt: 2 } as const;

/** Session key and salt, which seal the packets of one group. */
export interface SrtpSession {
  /** 16 octets. */
  readonly key: Uint8Array;
  /** 12 octets. */
  readonly salt: Uint8Array;
}

/**
 * The session key and salt of AEAD_AES_128_GCM, key derivation rate 0 (RFC 3711 4.3, RFC 7714 11).
 * @param masterKey 16 octets, the group key.
 * @param masterSalt 12 octets, from the content message.
 * @param makeCipher JavaScript does it when left out.
 */
export function deriveSrtpSession(
  masterKey: Uint8Array,
  masterSalt: Uint8Array,
  makeCipher: CbcFactory = (key) => new AesCbc(key),
): SrtpSession {
  const cipher = makeCipher(masterKey);
  return {
    key: deriveSrtpKey(cipher, masterSalt, LABEL.encryption, 16),
    salt: deriveSrtpKey(cipher, masterSalt, LABEL.salt, 12),
  };
}

/**
 * The AES-CM pseudo-random function of RFC 3711 4.3.3, key derivation rate 0.
 * @param master cipher under the master key.
 * @param masterSalt 14 octets, or 12, which two zero octets follow (RFC 7714 11).
 * @param label u8, RFC 3711 4.3.1.
 * @param length octets wanted, 1 to 1,024.
 * @throws OutOfRangeError when the salt is of another length.
 */
export function deriveSrtpKey(
  master: Pick<CbcCipher, 'encrypt'>,
  masterSalt: Uint8Array,
  label: number,
  length: number,
): Uint8Array {
  if (masterSalt.length !== 12 && masterSalt.length !== 14) {
    throw new OutOfRangeError(`an SRTP master salt has 12 or 14 octets, not ${masterSalt.length}`);
  }
  const derived = new Uint8Array(16 * Math.ceil(length / 16));
  const counter = new Uint8Array(16);
  // RFC 3711 4.3.1: key_id = label || index DIV rate, XORed to the right end of the salt. The index part is zero.
  counter.set(masterSalt);
  counter[7]! ^= label;
  for (let at = 0; at < derived.length; at += 16) {
    writeUint(counter, 14, 2, at / 16);
    master.encrypt(counter, derived.subarray(at, at + 16));
  }
  return derived.subarray(0, length);
}

/**
 * The IV of one packet: 00 00 || SSRC || ROC || sequence number, XOR session salt (RFC 7714 8.1).
 * @param index ROC and sequence number as one number of 48 bits.
 * @param out 12 octets.
 */
export function computePacketIv(salt: Uint8Array, ssrc: number, index: number, out = new Uint8Array(12)): Uint8Array {
  out[0] = 0;
  out[1] = 0;
  writeUint(out, 2, 4, ssrc);
  writeUint(out, 6, 6, index);
  for (let i = 0; i < 12; i++) out[i]! ^= salt[i]!;
  return out;
}
