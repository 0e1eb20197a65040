import { unsafe } from '@noble/ciphers/aes.js';
import { allocate } from '../../allocate.ts';

const BLOCK = 16;

/** AES-128 in CBC with a zero IV and no padding under one key. It is a port: `AesCbc` is the default, others are faster. */
export interface CbcCipher {
  encrypt(data: Uint8Array, out?: Uint8Array): Uint8Array;
  decrypt(data: Uint8Array, out?: Uint8Array): Uint8Array;
  mac(data: Uint8Array, length?: number): Uint8Array;
}

/** Makes a {@link CbcCipher} of a key of 16 octets. */
export type CbcFactory = (key: Uint8Array) => CbcCipher;

/** The default of whoever takes a factory: the same on every computer, and in a browser. */
export const makeAesCbc: CbcFactory = (key) => new AesCbc(key);

/** AES-128 in CBC with a zero IV and no padding (SP 800-38A 6.2), the key schedules made once. */
export class AesCbc implements CbcCipher {
  readonly #encryption: Uint32Array;
  readonly #key: Uint8Array;
  /** Made when it is first needed, as most keys only encrypt. */
  #decryption: Uint32Array | undefined;

  /** @param key 16 octets; copied. */
  constructor(key: Uint8Array) {
    this.#encryption = unsafe.expandKeyLE(key);
    this.#key = key.slice();
  }

  /** @param data a multiple of 16 octets; `out` may be `data` itself. */
  encrypt(data: Uint8Array, out: Uint8Array = new Uint8Array(data.length)): Uint8Array {
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let at = 0; at < data.length; at += BLOCK) {
      ({ s0, s1, s2, s3 } = unsafe.encrypt(
        this.#encryption,
        s0 ^ word(data, at),
        s1 ^ word(data, at + 4),
        s2 ^ word(data, at + 8),
        s3 ^ word(data, at + 12),
      ));
      putBlock(out, at, s0, s1, s2, s3);
    }
    return out;
  }

  /** @param data a multiple of 16 octets; `out` may be `data` itself. */
  decrypt(data: Uint8Array, out: Uint8Array = allocate(data.length)): Uint8Array {
    const schedule = (this.#decryption ??= unsafe.expandKeyDecLE(this.#key));
    let p0 = 0;
    let p1 = 0;
    let p2 = 0;
    let p3 = 0;
    for (let at = 0; at < data.length; at += BLOCK) {
      const c0 = word(data, at);
      const c1 = word(data, at + 4);
      const c2 = word(data, at + 8);
      const c3 = word(data, at + 12);
      const { s0, s1, s2, s3 } = unsafe.decrypt(schedule, c0, c1, c2, c3);
      putBlock(out, at, s0 ^ p0, s1 ^ p1, s2 ^ p2, s3 ^ p3);
      p0 = c0;
      p1 = c1;
      p2 = c2;
      p3 = c3;
    }
    return out;
  }

  /**
   * Computes AES-CBC-MAC: the last block of the encryption. It is safe only where no message is another's prefix, as in
   * `firmware-notes/protocol.md` 1.1.
   * @param data at least one block, a multiple of 16 octets.
   * @param length of the message, where `data` goes on behind it.
   * @returns 16 octets; cut it where a shorter tag is meant.
   */
  mac(data: Uint8Array, length = data.length): Uint8Array {
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let at = 0; at < length; at += BLOCK) {
      ({ s0, s1, s2, s3 } = unsafe.encrypt(
        this.#encryption,
        s0 ^ word(data, at),
        s1 ^ word(data, at + 4),
        s2 ^ word(data, at + 8),
        s3 ^ word(data, at + 12),
      ));
    }
    const tag = new Uint8Array(BLOCK);
    putBlock(tag, 0, s0, s1, s2, s3);
    return tag;
  }
}

function word(octets: Uint8Array, at: number): number {
  return octets[at]! | (octets[at + 1]! << 8) | (octets[at + 2]! << 16) | (octets[at + 3]! << 24);
}

function putBlock(out: Uint8Array, at: number, s0: number, s1: number, s2: number, s3: number): void {
  putWord(out, at, s0);
  putWord(out, at + 4, s1);
  putWord(out, at + 8, s2);
  putWord(out, at + 12, s3);
}

function putWord(out: Uint8Array, at: number, value: number): void {
  out[at] = value;
  out[at + 1] = value >>> 8;
  out[at + 2] = value >>> 16;
  out[at + 3] = value >>> 24;
}
