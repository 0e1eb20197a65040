import { sha256 } from '@noble/hashes/sha2.js';
import { KEY_NAME } from '../layout/keys.ts';
import { concat } from '../octets.ts';

/** The two working keys of one key, `firmware-notes/protocol.md` 1.1. */
export interface WorkingKeys {
  /** 16 octets: wraps keys, or enciphers spans. */
  readonly encryption: Uint8Array;
  /** 16 octets. */
  readonly mac: Uint8Array;
}

/**
 * Makes the encryption key and the MAC key of a key.
 * @param kind of the key: unique, service, segment or content.
 * @param service u32; 0 for the unique key.
 * @param keyId u32; the card's serial for the unique key.
 * @param key 16 octets.
 */
export function deriveWorkingKeys(kind: number, service: number, keyId: number, key: Uint8Array): WorkingKeys {
  return workingKeysOf(KEY_NAME.encode({ kind, service, keyId }), key);
}

/** The two halves of SHA-256. @param parts a name that no other key has, then what is secret. */
export function workingKeysOf(...parts: readonly Uint8Array[]): WorkingKeys {
  const digest = sha256(concat(...parts));
  return { encryption: digest.slice(0, 16), mac: digest.slice(16) };
}
