import { equalTags, fromHex } from '../octets.ts';
import type { ChannelKeySet } from './scp03-keys.ts';

const KEY = fromHex('404142434445464748494A4B4C4D4E4F');

/** The key set that everyone knows. Simulated cards are installed with it; no other card may be. */
export const TEST_KEY_SET: ChannelKeySet = { version: 1, enc: KEY, mac: KEY, dek: KEY };

/** Whether everybody knows the keys of this set, whatever its version. */
export function isTestKeySet({ enc, mac, dek }: ChannelKeySet): boolean {
  return [enc, mac, dek].every((key) => equalTags(key, KEY));
}
