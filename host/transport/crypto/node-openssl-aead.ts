import { AEAD_TAG, type AeadFactory } from '../../stream/packet/packet-aead.ts';
import { AddressBook, loadKoffi } from '../koffi-library.ts';

/** EVP_CIPHER_CTX_ctrl commands of openssl/evp.h. */
const EVP_CTRL_AEAD_GET_TAG = 0x10;
const EVP_CTRL_AEAD_SET_TAG = 0x11;
const KEY_LENGTH = 16;
const IV_LENGTH = 12;
/** No cipher: the context keeps the one that it has. No key likewise. No engine, no output. */
const NULL = 0;

/** A pointer as a number: koffi takes it in a quarter of the time of an array, and a tenth of that of a null. */
type Pointer = number;

interface Evp {
  newContext(): Pointer;
  aes128Gcm(): Pointer;
  encryptInit(context: Pointer, cipher: Pointer, engine: Pointer, key: Pointer, iv: Pointer): number;
  decryptInit(context: Pointer, cipher: Pointer, engine: Pointer, key: Pointer, iv: Pointer): number;
  decryptInitWith(context: Pointer, cipher: Pointer, key: Pointer, iv: Pointer, parameters: Pointer): number;
  /** Takes in additional data: without output. */
  encryptAad(context: Pointer, out: Pointer, outLength: Pointer, data: Uint8Array, length: number): number;
  decryptAad(context: Pointer, out: Pointer, outLength: Pointer, data: Uint8Array, length: number): number;
  encryptUpdate(context: Pointer, out: Uint8Array, outLength: Pointer, data: Uint8Array, length: number): number;
  /** Additional data or ciphertext, known by address. */
  decryptAt(context: Pointer, out: Pointer, outLength: Pointer, data: Pointer, length: number): number;
  /** Additional data or plaintext, known by address. */
  encryptAt(context: Pointer, out: Pointer, outLength: Pointer, data: Pointer, length: number): number;
  decryptUpdate(context: Pointer, out: Uint8Array, outLength: Pointer, data: Uint8Array, length: number): number;
  encryptFinal(context: Pointer, out: Pointer, outLength: Pointer): number;
  decryptFinal(context: Pointer, out: Pointer, outLength: Pointer): number;
  control(context: Pointer, command: number, length: number, data: Pointer): number;
  addressOf(memory: Uint8Array): Pointer;
}

/** Where the small inputs and outputs lie that OpenSSL knows by address. */
const AT = { key: 0, iv: 32, tag: 64, final: 96, length: 128, tagName: 136, parameters: 144 } as const;
/** The tag as a parameter of initialisation: name, type, place, length (openssl/core.h, struct ossl_param_st of 64 bits). */
const TAG_PARAMETER = { type: 8, at: 16, length: 24 } as const;
const OSSL_PARAM_OCTET_STRING = 5;
/** Octets; what is shorter than 65 V8 may keep where the collector moves it. */
const SCRATCH = 256;

/**
 * AEAD_AES_128_GCM by the OpenSSL inside Node, without the cipher objects of node:crypto: on a packet they cost ten
 * times as much as the cipher.
 * @returns nothing where koffi is not installed, this Node does not export its OpenSSL, or the machine is not of 64 bits.
 */
export async function loadOpensslAead(): Promise<AeadFactory | undefined> {
  const evp = await loadEvp();
  if (evp === undefined) return undefined;
  const sealing = evp.newContext();
  const opening = evp.newContext();
  evp.encryptInit(sealing, evp.aes128Gcm(), NULL, NULL, NULL);
  evp.decryptInit(opening, evp.aes128Gcm(), NULL, NULL, NULL);
  // The collector does not see addresses. The functions below keep this memory, as they write to it.
  const scratch = new Uint8Array(SCRATCH);
  const scratchAt = evp.addressOf(scratch);
  const keyAt = scratchAt + AT.key;
  const ivAt = scratchAt + AT.iv;
  const tagAt = scratchAt + AT.tag;
  const parametersAt = scratchAt + AT.parameters;
  const view = new DataView(scratch.buffer);
  scratch.set(new TextEncoder().encode('tag'), AT.tagName);
  setPointer(view, AT.parameters, scratchAt + AT.tagName);
  view.setUint32(AT.parameters + TAG_PARAMETER.type, OSSL_PARAM_OCTET_STRING, true);
  view.setUint32(AT.parameters + TAG_PARAMETER.length, AEAD_TAG, true);
  const finalAt = scratchAt + AT.final;
  const lengthAt = scratchAt + AT.length;
  const packets = new AddressBook((memory) => evp.addressOf(memory));
  const outputs = new AddressBook((memory) => evp.addressOf(memory));
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
        const { length } = plaintext;
        requireRoom(iv, out, length + AEAD_TAG);
        put(scratch, AT.iv, iv);
        if (sealingKey !== key) put(scratch, AT.key, key);
        const sealed =
          evp.encryptInit(sealing, NULL, NULL, sealingKey === key ? NULL : keyAt, ivAt) === 1 &&
          evp.encryptAad(sealing, NULL, lengthAt, aad, aad.length) === 1 &&
          evp.encryptUpdate(sealing, out, lengthAt, plaintext, length) === 1 &&
          evp.encryptFinal(sealing, finalAt, lengthAt) === 1 &&
          evp.control(sealing, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG, tagAt) === 1;
        sealingKey = sealed ? key : undefined;
        for (let i = 0; i < AEAD_TAG; i++) out[length + i] = scratch[AT.tag + i]!;
        if (!sealed) throw new Error('OpenSSL refused to seal; remove koffi to do without it');
        return out;
      },
      sealRest(iv, packet, restAt, end) {
        const length = end - restAt - AEAD_TAG;
        if (!(restAt >= 0 && length >= 0 && end <= packet.length)) throw new RangeError('the packet is too short');
        requireRoom(iv, packet, 0);
        put(scratch, AT.iv, iv);
        if (sealingKey !== key) put(scratch, AT.key, key);
        const at = packets.addressOf(packet);
        const sealed =
          evp.encryptInit(sealing, NULL, NULL, sealingKey === key ? NULL : keyAt, ivAt) === 1 &&
          evp.encryptAt(sealing, NULL, lengthAt, at, restAt) === 1 &&
          evp.encryptAt(sealing, at + restAt, lengthAt, at + restAt, length) === 1 &&
          evp.encryptFinal(sealing, finalAt, lengthAt) === 1 &&
          evp.control(sealing, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG, at + end - AEAD_TAG) === 1;
        sealingKey = sealed ? key : undefined;
        // Here the packet is still referred to, so that the address was its own until now.
        if (!sealed) {
          packet.fill(0, restAt, end);
          throw new Error('OpenSSL refused to seal; remove koffi to do without it');
        }
      },
      open(iv, aad, sealed, out) {
        const length = sealed.length - AEAD_TAG;
        if (length < 0) return undefined;
        const plaintext = out ?? new Uint8Array(length);
        requireRoom(iv, plaintext, length);
        put(scratch, AT.iv, iv);
        if (openingKey !== key) put(scratch, AT.key, key);
        for (let i = 0; i < AEAD_TAG; i++) scratch[AT.tag + i] = sealed[length + i]!;
        const opened =
          evp.decryptInit(opening, NULL, NULL, openingKey === key ? NULL : keyAt, ivAt) === 1 &&
          evp.decryptAad(opening, NULL, lengthAt, aad, aad.length) === 1 &&
          evp.decryptUpdate(opening, plaintext, lengthAt, sealed, length) === 1 &&
          evp.control(opening, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG, tagAt) === 1 &&
          evp.decryptFinal(opening, finalAt, lengthAt) === 1;
        openingKey = opened ? key : undefined;
        if (!opened) plaintext.fill(0, 0, length);
        return opened ? plaintext : undefined;
      },
      openRest(iv, packet, restAt, end, out, outAt) {
        const length = end - restAt - AEAD_TAG;
        if (!(restAt >= 0 && length >= 0 && end <= packet.length)) throw new RangeError('the packet is too short');
        if (!(outAt >= 0 && outAt + length <= out.length)) throw new RangeError('the output is too short');
        requireRoom(iv, out, length);
        put(scratch, AT.iv, iv);
        if (openingKey !== key) put(scratch, AT.key, key);
        // Until this returns, packet and output are referred to, so that the addresses stay theirs.
        const packetAt = packets.addressOf(packet);
        const clearAt = outputs.addressOf(out) + outAt;
        // The tag goes along with the IV: a call less for each packet.
        setPointer(view, AT.parameters + TAG_PARAMETER.at, packetAt + end - AEAD_TAG);
        const opened =
          evp.decryptInitWith(opening, NULL, openingKey === key ? NULL : keyAt, ivAt, parametersAt) === 1 &&
          evp.decryptAt(opening, NULL, lengthAt, packetAt, restAt) === 1 &&
          evp.decryptAt(opening, clearAt, lengthAt, packetAt + restAt, length) === 1 &&
          evp.decryptFinal(opening, finalAt, lengthAt) === 1;
        openingKey = opened ? key : undefined;
        if (!opened) out.fill(0, outAt, outAt + length);
        return opened;
      },
    };
  };
}

/** OpenSSL reads and writes outside of these bounds unchecked. @throws RangeError */
function requireRoom(iv: Uint8Array, out: Uint8Array, length: number): void {
  if (iv.length !== IV_LENGTH || out.length < length) throw new RangeError('the IV or the output has the wrong length');
}

function setPointer(view: DataView, at: number, address: Pointer): void {
  view.setUint32(at, address % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(address / 2 ** 32), true);
}

/** A loop is faster than `set` for so few octets. */
function put(memory: Uint8Array, at: number, octets: Uint8Array): void {
  for (let i = 0; i < octets.length; i++) memory[at + i] = octets[i]!;
}

async function loadEvp(): Promise<Evp | undefined> {
  // The structure of a parameter is known of these alone.
  if (process.arch !== 'x64' && process.arch !== 'arm64') return undefined;
  const koffi = await loadKoffi();
  if (koffi === undefined) return undefined;
  try {
    const self = koffi.load(null);
    const init = 'uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t';
    const aad = 'uintptr_t, uintptr_t, uintptr_t, void *, int';
    const update = 'uintptr_t, void *, uintptr_t, void *, int';
    return {
      newContext: self.func('uintptr_t EVP_CIPHER_CTX_new()'),
      aes128Gcm: self.func('uintptr_t EVP_aes_128_gcm()'),
      encryptInit: self.func(`int EVP_EncryptInit_ex(${init})`),
      decryptInit: self.func(`int EVP_DecryptInit_ex(${init})`),
      decryptInitWith: self.func(`int EVP_DecryptInit_ex2(${init})`),
      encryptAad: self.func(`int EVP_EncryptUpdate(${aad})`),
      decryptAad: self.func(`int EVP_DecryptUpdate(${aad})`),
      encryptUpdate: self.func(`int EVP_EncryptUpdate(${update})`),
      decryptAt: self.func('int EVP_DecryptUpdate(uintptr_t, uintptr_t, uintptr_t, uintptr_t, int)'),
      decryptUpdate: self.func(`int EVP_DecryptUpdate(${update})`),
      encryptAt: self.func('int EVP_EncryptUpdate(uintptr_t, uintptr_t, uintptr_t, uintptr_t, int)'),
      encryptFinal: self.func('int EVP_EncryptFinal_ex(uintptr_t, uintptr_t, uintptr_t)'),
      decryptFinal: self.func('int EVP_DecryptFinal_ex(uintptr_t, uintptr_t, uintptr_t)'),
      control: self.func('int EVP_CIPHER_CTX_ctrl(uintptr_t, int, int, uintptr_t)'),
      addressOf: (memory) => Number(koffi.address(memory)),
    };
  } catch {
    return undefined;
  }
}
