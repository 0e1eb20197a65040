import { AesCbc, type CbcCipher, type CbcFactory } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { loadKoffi } from '../koffi-library.ts';

/** A pointer as a number, which koffi takes in a quarter of the time of an array. */
type Pointer = number;

interface Evp {
  newContext(): Pointer;
  aes128Cbc(): Pointer;
  setPadding(context: Pointer, padding: number): number;
  encryptInit(context: Pointer, cipher: Pointer, engine: Pointer, key: Pointer, iv: Pointer): number;
  decryptInit(context: Pointer, cipher: Pointer, engine: Pointer, key: Pointer, iv: Pointer): number;
  encryptUpdate(context: Pointer, out: Pointer, outLength: Pointer, data: Pointer, length: number): number;
  decryptUpdate(context: Pointer, out: Pointer, outLength: Pointer, data: Pointer, length: number): number;
  addressOf(memory: Uint8Array): Pointer;
}

const NULL = 0;
const BLOCK = 16;
/** Octets that go through at once: more than a card part has. What is longer is left to JavaScript. */
const MAX_LENGTH = 1024;
/** Where key, IV of zeros, length, input and output lie in the memory that OpenSSL knows by address. */
const AT = { key: 0, iv: 16, length: 32, data: 64, out: 64 + MAX_LENGTH } as const;

/**
 * AES-128 in CBC by the OpenSSL inside Node.
 * @returns nothing where koffi is not installed, or this Node does not export its OpenSSL.
 */
export async function loadOpensslCbc(): Promise<CbcFactory | undefined> {
  const evp = await loadEvp();
  if (evp === undefined) return undefined;
  // The collector does not see addresses. The engine keeps this memory, as it writes to it.
  const engine = new Engine(evp, new Uint8Array(AT.out + MAX_LENGTH));
  return (key) => new OpensslCbc(engine, key);
}

/** One context each way serves all keys, and is keyed anew when the key changes. */
class Engine {
  readonly #evp: Evp;
  readonly #memory: Uint8Array;
  readonly #at: Pointer;
  readonly #encrypting: Pointer;
  readonly #decrypting: Pointer;
  #encryptionKey: Uint8Array | undefined;
  #decryptionKey: Uint8Array | undefined;

  constructor(evp: Evp, memory: Uint8Array) {
    this.#evp = evp;
    this.#memory = memory;
    this.#at = evp.addressOf(memory);
    this.#encrypting = evp.newContext();
    this.#decrypting = evp.newContext();
    evp.encryptInit(this.#encrypting, evp.aes128Cbc(), NULL, NULL, NULL);
    evp.decryptInit(this.#decrypting, evp.aes128Cbc(), NULL, NULL, NULL);
    evp.setPadding(this.#encrypting, 0);
    evp.setPadding(this.#decrypting, 0);
  }

  /** @param length up to `MAX_LENGTH`, a multiple of 16. @returns the ciphertext, valid until the next call. */
  encrypt(key: Uint8Array, data: Uint8Array, length: number): Uint8Array {
    const keyAt = this.#put(this.#encryptionKey === key, key, data, length);
    this.#encryptionKey = undefined;
    const at = this.#at;
    const isDone =
      this.#evp.encryptInit(this.#encrypting, NULL, NULL, keyAt, at + AT.iv) === 1 &&
      this.#evp.encryptUpdate(this.#encrypting, at + AT.out, at + AT.length, at + AT.data, length) === 1;
    if (isDone) this.#encryptionKey = key;
    return this.#result(isDone, length);
  }

  /** The same the other way. */
  decrypt(key: Uint8Array, data: Uint8Array, length: number): Uint8Array {
    const keyAt = this.#put(this.#decryptionKey === key, key, data, length);
    this.#decryptionKey = undefined;
    const at = this.#at;
    const isDone =
      this.#evp.decryptInit(this.#decrypting, NULL, NULL, keyAt, at + AT.iv) === 1 &&
      this.#evp.decryptUpdate(this.#decrypting, at + AT.out, at + AT.length, at + AT.data, length) === 1;
    if (isDone) this.#decryptionKey = key;
    return this.#result(isDone, length);
  }

  #put(isKeyed: boolean, key: Uint8Array, data: Uint8Array, length: number): Pointer {
    if (!(length >= 0 && length <= MAX_LENGTH && length <= data.length)) throw new RangeError('the data are too long');
    for (let i = 0; i < length; i++) this.#memory[AT.data + i] = data[i]!;
    if (isKeyed) return NULL;
    this.#memory.set(key, AT.key);
    return this.#at + AT.key;
  }

  #result(isDone: boolean, length: number): Uint8Array {
    if (!isDone) throw new Error('OpenSSL refused AES-CBC; remove koffi to do without it');
    return this.#memory.subarray(AT.out, AT.out + length);
  }
}

class OpensslCbc implements CbcCipher {
  readonly #engine: Engine;
  /** A copy, as its identity tells whether a context is keyed with it. */
  readonly #key: Uint8Array;
  /** For what is too long for the engine. */
  #slow: AesCbc | undefined;

  constructor(engine: Engine, key: Uint8Array) {
    if (key.length !== BLOCK) throw new RangeError('AES-128 takes a key of 16 octets');
    this.#engine = engine;
    this.#key = key.slice();
  }

  encrypt(data: Uint8Array, out: Uint8Array = new Uint8Array(data.length)): Uint8Array {
    if (data.length > MAX_LENGTH) return this.#fallBack().encrypt(data, out);
    out.set(this.#engine.encrypt(this.#key, data, data.length));
    return out;
  }

  decrypt(data: Uint8Array, out: Uint8Array = new Uint8Array(data.length)): Uint8Array {
    if (data.length > MAX_LENGTH) return this.#fallBack().decrypt(data, out);
    out.set(this.#engine.decrypt(this.#key, data, data.length));
    return out;
  }

  mac(data: Uint8Array, length = data.length): Uint8Array {
    if (length > MAX_LENGTH) return this.#fallBack().mac(data, length);
    return this.#engine.encrypt(this.#key, data, length).slice(length - BLOCK);
  }

  #fallBack(): AesCbc {
    return (this.#slow ??= new AesCbc(this.#key));
  }
}

async function loadEvp(): Promise<Evp | undefined> {
  const koffi = await loadKoffi();
  if (koffi === undefined) return undefined;
  try {
    const self = koffi.load(null);
    const pointers = 'uintptr_t, uintptr_t, uintptr_t, uintptr_t';
    return {
      newContext: self.func('uintptr_t EVP_CIPHER_CTX_new()'),
      aes128Cbc: self.func('uintptr_t EVP_aes_128_cbc()'),
      setPadding: self.func('int EVP_CIPHER_CTX_set_padding(uintptr_t, int)'),
      encryptInit: self.func(`int EVP_EncryptInit_ex(${pointers}, uintptr_t)`),
      decryptInit: self.func(`int EVP_DecryptInit_ex(${pointers}, uintptr_t)`),
      encryptUpdate: self.func(`int EVP_EncryptUpdate(${pointers}, int)`),
      decryptUpdate: self.func(`int EVP_DecryptUpdate(${pointers}, int)`),
      addressOf: (memory) => Number(koffi.address(memory)),
    };
  } catch {
    return undefined;
  }
}
