import { OutOfRangeError } from '../../errors.ts';
import { type CbcCipher, makeAesCbc } from './aes-cbc.ts';

const BLOCK = 16;
/** What a doubling carries out is added here, SP 800-38B 5.3. */
const R128 = 0x87;

/** AES-128-CMAC (SP 800-38B) under one key, with its key schedule and subkeys made once for many messages. */
export class Cmac {
  readonly #cbc: CbcCipher;
  /** K1 for messages that end with a whole block, K2 for all others. */
  readonly #subkeys: { readonly whole: Uint8Array; readonly padded: Uint8Array };

  /** @param key 16 octets; copied. @throws OutOfRangeError. */
  constructor(key: Uint8Array, makeCipher = makeAesCbc) {
    if (key.length !== BLOCK) throw new OutOfRangeError(`a master has ${BLOCK} octets, not ${key.length}`);
    this.#cbc = makeCipher(key);
    const whole = doubleBlock(this.#cbc.encrypt(new Uint8Array(BLOCK)));
    this.#subkeys = { whole, padded: doubleBlock(whole) };
  }

  /** @returns the tag, 16 octets. */
  compute(message: Uint8Array): Uint8Array {
    const blocks = new Uint8Array(Math.max(1, Math.ceil(message.length / BLOCK)) * BLOCK);
    blocks.set(message);
    const isWhole = blocks.length === message.length;
    if (!isWhole) blocks[message.length] = 0x80;
    const subkey = isWhole ? this.#subkeys.whole : this.#subkeys.padded;
    const lastAt = blocks.length - BLOCK;
    for (let i = 0; i < BLOCK; i++) blocks[lastAt + i]! ^= subkey[i]!;
    return this.#cbc.mac(blocks);
  }
}

/** Doubles a block in GF(2^128). */
function doubleBlock(block: Uint8Array): Uint8Array {
  const doubled = block.map((octet, i) => (octet << 1) | ((block[i + 1] ?? 0) >>> 7));
  doubled[BLOCK - 1]! ^= R128 * (block[0]! >>> 7);
  return doubled;
}
