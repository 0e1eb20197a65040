import { hkdfSync } from 'node:crypto';
import { privateHalfOf } from '../../../apdu/decode-module/keys/p256.ts';
import { toHex } from '../../../apdu/octets.ts';

/** Octets of every symmetric key. */
const KEY_LENGTH = 16;
/** Octets that a private half is made of. */
const SEED_LENGTH = 48;

/**
 * Derives the service and segment keys of a head-end from the unique master, by HKDF (RFC 5869) with SHA-256. So the
 * database holds ids and no keys, and a head-end that starts anew goes on with the keys that it sold.
 */
export class KeyRoot {
  readonly #unique: Uint8Array;

  /** @param uniqueMaster 16 octets. */
  constructor(uniqueMaster: Uint8Array) {
    this.#unique = uniqueMaster;
  }

  /** The service key that one card alone has. @param cardId 8 octets. */
  deriveMemberKey(service: number, keyId: number, cardId: Uint8Array): Uint8Array {
    return this.#derive(`member key ${service} ${keyId} ${toHex(cardId)}`);
  }

  /** The service key that all members share. */
  deriveSharedKey(service: number, keyId: number): Uint8Array {
    return this.#derive(`shared key ${service} ${keyId}`);
  }

  deriveSegmentKey(service: number, keyId: number): Uint8Array {
    return this.#derive(`segment key ${service} ${keyId}`);
  }

  /** The private half of a pair of the service, 32 octets. */
  derivePrivateHalf(service: number, keyId: number): Uint8Array {
    return privateHalfOf(this.#derive(`service pair ${service} ${keyId}`, SEED_LENGTH));
  }

  #derive(name: string, length = KEY_LENGTH): Uint8Array {
    return new Uint8Array(hkdfSync('sha256', this.#unique, new Uint8Array(0), `tollcast 1 ${name}`, length));
  }
}
