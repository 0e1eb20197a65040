import { sha256 } from '@noble/hashes/sha2.js';
import { writeUint } from '../octets.ts';

/** The two working keys of one key, `firmware-notes/protocol.md` 1.1. */
export interface WorkingKeys {
  /** 16 octets: wraps keys, or enciphers spans. */
  readonly encryption: Uint8Array;
  /** 16 octets. */
  readonly mac: Uint8Array;
}

/**
 * Splits a key into its encryption and its MAC key.
 * @param kind of the key: unique, service, segment or content.
 * @param service u32; 0 for the unique key.
 * @param id u32; the card's serial for the unique key.
 * @param key 16 octets.
 */
export function deriveWorkingKeys(kind: number, service: number, id: number, key: Uint8Array): WorkingKeys {
  const input = new Uint8Array(25);
  input[0] = kind;
  writeUint(input, 1, 4, service);
  writeUint(input, 5, 4, id);
  input.set(key, 9);
  const digest = sha256(input);
  return { encryption: digest.slice(0, 16), mac: digest.slice(16, 32) };
}
