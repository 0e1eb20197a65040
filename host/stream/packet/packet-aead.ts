import { gcm } from '@noble/ciphers/aes.js';

/** Octets that sealing adds: the tag. */
export const AEAD_TAG = 16;

/** AEAD_AES_128_GCM (RFC 5116 5.1) under one key. It is a port: `nobleAead` is the default, and others are faster. */
export interface PacketAead {
  /**
   * @param iv 12 octets, never twice under one key.
   * @param out takes ciphertext and tag, `plaintext.length + 16` octets; made when left out.
   * @returns ciphertext || tag.
   */
  seal(iv: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, out?: Uint8Array): Uint8Array;

  /**
   * @param sealed ciphertext || tag, any length.
   * @param out takes the plaintext, `sealed.length - 16` octets; made when left out. Void when the tag is wrong.
   * @returns the plaintext; undefined when the tag is wrong.
   */
  open(iv: Uint8Array, aad: Uint8Array, sealed: Uint8Array, out?: Uint8Array): Uint8Array | undefined;
}

/** Makes a {@link PacketAead} of a key of 16 octets. */
export type AeadFactory = (key: Uint8Array) => PacketAead;

/** The default, in JavaScript alone. */
export const nobleAead: AeadFactory = (key) => ({
  seal(iv, aad, plaintext, out) {
    const sealed = gcm(key, iv, aad).encrypt(plaintext);
    if (out === undefined) return sealed;
    out.set(sealed);
    return out;
  },
  open(iv, aad, sealed, out) {
    if (sealed.length < AEAD_TAG) return undefined;
    let plaintext: Uint8Array;
    try {
      plaintext = gcm(key, iv, aad).decrypt(sealed);
    } catch {
      return undefined;
    }
    if (out === undefined) return plaintext;
    out.set(plaintext);
    return out;
  },
});
