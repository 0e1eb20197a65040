import { gcm } from '@noble/ciphers/aes.js';

/** Octets that sealing adds: the tag. */
export const AEAD_TAG = 16;

/** AEAD_AES_128_GCM (RFC 5116 5.1) under one key. It is a port: `nobleAead` is the default, and others are faster. */
export interface PacketAead {
  /**
   * @param iv 12 octets, never twice under one key.
   * @param out takes ciphertext and tag, `plaintext.length + 16` octets; made when left out. The plaintext may lie in it.
   * @returns ciphertext || tag.
   */
  seal(iv: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, out?: Uint8Array): Uint8Array;

  /**
   * Seals the rest of a packet where it lies, without an object for each part of it; others do it by `seal`.
   * @param packet whose octets before `restAt` are authenticated too; those from there on become ciphertext, and the tag
   *   ends at `end`.
   * @throws RangeError when the packet is too short.
   */
  sealRest?(iv: Uint8Array, packet: Uint8Array, restAt: number, end: number): void;

  /**
   * @param sealed ciphertext || tag, any length.
   * @param out takes the plaintext, `sealed.length - 16` octets; made when left out. Void when the tag is wrong.
   * @returns the plaintext; undefined when the tag is wrong.
   */
  open(iv: Uint8Array, aad: Uint8Array, sealed: Uint8Array, out?: Uint8Array): Uint8Array | undefined;

  /**
   * Opens the rest of a packet where it lies, without an object for each part of it; others do it by `open`.
   * @param packet whose octets before `restAt` are authenticated too, and whose ciphertext and tag end at `end`.
   * @param out takes the plaintext, `end - restAt - 16` octets from `outAt` on. Void when the tag is wrong.
   * @returns whether the tag is right.
   * @throws RangeError when packet or `out` is too short.
   */
  openRest?(iv: Uint8Array, packet: Uint8Array, restAt: number, end: number, out: Uint8Array, outAt: number): boolean;
}

/** Seals the rest of a packet as `PacketAead.sealRest` says, by whichever way there is. */
export function sealRest(aead: PacketAead, iv: Uint8Array, packet: Uint8Array, restAt: number, end: number): void {
  if (aead.sealRest !== undefined) aead.sealRest(iv, packet, restAt, end);
  else {
    const plaintext = packet.subarray(restAt, end - AEAD_TAG);
    aead.seal(iv, packet.subarray(0, restAt), plaintext, packet.subarray(restAt, end));
  }
}

/** Opens the rest of a packet as `PacketAead.openRest` says, by whichever way there is. */
export function openRest(
  aead: PacketAead,
  iv: Uint8Array,
  packet: Uint8Array,
  restAt: number,
  end: number,
  out: Uint8Array,
  outAt: number,
): boolean {
  if (aead.openRest !== undefined) return aead.openRest(iv, packet, restAt, end, out, outAt);
  const clear = out.subarray(outAt, outAt + end - restAt - AEAD_TAG);
  return aead.open(iv, packet.subarray(0, restAt), packet.subarray(restAt, end), clear) !== undefined;
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
