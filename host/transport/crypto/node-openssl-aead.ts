import { AEAD_TAG, type AeadFactory } from '../../stream/packet/packet-aead.ts';
import { loadKoffi } from '../koffi-library.ts';

/** EVP_CIPHER_CTX_ctrl commands of openssl/evp.h. */
const EVP_CTRL_AEAD_GET_TAG = 0x10;
const EVP_CTRL_AEAD_SET_TAG = 0x11;
const KEY_LENGTH = 16;
const IV_LENGTH = 12;
/** A null cipher: the context keeps the one that it has. */
const NO_CIPHER = 0;

/** A pointer of OpenSSL as a number: as a bigint it would cost koffi a fifth of the whole call. */
type Pointer = number;

interface Evp {
  newContext(): Pointer;
  aes128Gcm(): Pointer;
  encryptInit(context: Pointer, cipher: Pointer, engine: null, key: Uint8Array | null, iv: Uint8Array | null): number;
  decryptInit(context: Pointer, cipher: Pointer, engine: null, key: Uint8Array | null, iv: Uint8Array | null): number;
  encryptUpdate(
    context: Pointer,
    out: Uint8Array | null,
    outLength: Uint8Array,
    data: Uint8Array,
    length: number,
  ): number;
  decryptUpdate(
    context: Pointer,
    out: Uint8Array | null,
    outLength: Uint8Array,
    data: Uint8Array,
    length: number,
  ): number;
  encryptFinal(context: Pointer, out: Uint8Array, outLength: Uint8Array): number;
  decryptFinal(context: Pointer, out: Uint8Array, outLength: Uint8Array): number;
  control(context: Pointer, command: number, length: number, data: Uint8Array): number;
}

/**
 * AEAD_AES_128_GCM by the OpenSSL inside Node, without the cipher objects of node:crypto: on a packet they cost ten
 * times as much as the cipher.
 * @returns nothing where koffi is not installed, or this Node does not export its OpenSSL.
 */
export async function loadOpensslAead(): Promise<AeadFactory | undefined> {
  const evp = await loadEvp();
  if (evp === undefined) return undefined;
  const sealing = evp.newContext();
  const opening = evp.newContext();
  evp.encryptInit(sealing, evp.aes128Gcm(), null, null, null);
  evp.decryptInit(opening, evp.aes128Gcm(), null, null, null);
  const done = new Uint8Array(8);
  const rest = new Uint8Array(16);
  const tag = new Uint8Array(AEAD_TAG);
  // One context each way serves all keys and is keyed anew when the key changes: a context of each key would have to be
  // freed by hand.
  let sealingKey: Uint8Array | undefined;
  let openingKey: Uint8Array | undefined;

  return (octets) => {
    if (octets.length !== KEY_LENGTH) throw new RangeError('AES-128 takes a key of 16 octets');
    // A copy, as its identity tells whether a context is keyed with it.
    const key = octets.slice();
    return {
      seal(iv, aad, plaintext, out = new Uint8Array(plaintext.length + AEAD_TAG)) {
        requireRoom(iv, out, plaintext.length + AEAD_TAG);
        const sealed =
          evp.encryptInit(sealing, NO_CIPHER, null, sealingKey === key ? null : key, iv) === 1 &&
          evp.encryptUpdate(sealing, null, done, aad, aad.length) === 1 &&
          evp.encryptUpdate(sealing, out, done, plaintext, plaintext.length) === 1 &&
          evp.encryptFinal(sealing, rest, done) === 1 &&
          evp.control(sealing, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG, tag) === 1;
        sealingKey = sealed ? key : undefined;
        out.set(tag, plaintext.length);
        if (!sealed) throw new Error('OpenSSL refused to seal; remove koffi to do without it');
        return out;
      },
      open(iv, aad, sealed, out) {
        const length = sealed.length - AEAD_TAG;
        if (length < 0) return undefined;
        const plaintext = out ?? new Uint8Array(length);
        requireRoom(iv, plaintext, length);
        for (let i = 0; i < AEAD_TAG; i++) tag[i] = sealed[length + i]!;
        const opened =
          evp.decryptInit(opening, NO_CIPHER, null, openingKey === key ? null : key, iv) === 1 &&
          evp.decryptUpdate(opening, null, done, aad, aad.length) === 1 &&
          evp.decryptUpdate(opening, plaintext, done, sealed, length) === 1 &&
          evp.control(opening, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG, tag) === 1 &&
          evp.decryptFinal(opening, rest, done) === 1;
        openingKey = opened ? key : undefined;
        if (!opened) plaintext.fill(0, 0, length);
        return opened ? plaintext : undefined;
      },
    };
  };
}

/** OpenSSL reads and writes outside of these bounds unchecked. @throws RangeError */
function requireRoom(iv: Uint8Array, out: Uint8Array, length: number): void {
  if (iv.length !== IV_LENGTH || out.length < length) throw new RangeError('the IV or the output has the wrong length');
}

async function loadEvp(): Promise<Evp | undefined> {
  const koffi = await loadKoffi();
  if (koffi === undefined) return undefined;
  try {
    const self = koffi.load(null);
    return {
      newContext: self.func('uintptr_t EVP_CIPHER_CTX_new()'),
      aes128Gcm: self.func('uintptr_t EVP_aes_128_gcm()'),
      encryptInit: self.func('int EVP_EncryptInit_ex(uintptr_t, uintptr_t, void *, void *, void *)'),
      decryptInit: self.func('int EVP_DecryptInit_ex(uintptr_t, uintptr_t, void *, void *, void *)'),
      encryptUpdate: self.func('int EVP_EncryptUpdate(uintptr_t, void *, void *, void *, int)'),
      decryptUpdate: self.func('int EVP_DecryptUpdate(uintptr_t, void *, void *, void *, int)'),
      encryptFinal: self.func('int EVP_EncryptFinal_ex(uintptr_t, void *, void *)'),
      decryptFinal: self.func('int EVP_DecryptFinal_ex(uintptr_t, void *, void *)'),
      control: self.func('int EVP_CIPHER_CTX_ctrl(uintptr_t, int, int, void *)'),
    };
  } catch {
    return undefined;
  }
}
