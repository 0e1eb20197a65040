import { sha256 } from '@noble/hashes/sha2.js';

/** Stands for `node:crypto` in a page, where a soft card's file needs its checksums and nothing else of it. */
export function hash(_algorithm: 'sha256', octets: Uint8Array): Uint8Array {
  return sha256(octets);
}
