import { concat } from '../../octets.ts';
import type { ChannelKeySet } from '../../secure-channel/scp03-keys.ts';
import { decodeCardId } from '../card-id.ts';
import { Cmac } from './cmac.ts';

/** The issuer's masters, 16 octets each, generated and kept apart; `firmware-notes/protocol.md` 1.2. */
export const MASTERS = ['unique', 'uplink', 'receipt', 'load', 'personalisation'] as const;

export type MasterName = (typeof MASTERS)[number];

/** The keys of one card, each with the master that it comes from. */
export const CARD_KEYS = {
  downlink: 'unique',
  uplink: 'uplink',
  receipt: 'receipt',
  acknowledgement: 'receipt',
  'load-in': 'load',
  'load-out': 'load',
} as const satisfies Record<string, MasterName>;

export type CardKeyName = keyof typeof CARD_KEYS;

type ChannelKeyName = 'scp03-enc' | 'scp03-mac' | 'scp03-dek';

/** Version of the key sets that an issuer derives. */
const CHANNEL_KEY_VERSION = 0x10;

/** Octets of every master and card key. */
export const CARD_KEY_LENGTH = 16;

/**
 * Derives a key of a card; `firmware-notes/protocol.md` 1.2. The label is the key's name with the module's class.
 * @param master the one that {@link CARD_KEYS} names for this key, *personalisation* for channel keys; 16 octets, or
 *   their CMAC where many keys come from them.
 * @param cardId 8 octets.
 * @returns 16 octets.
 * @throws FormatError when the card id is not one.
 */
export function deriveCardKey(
  master: Uint8Array | Cmac,
  name: CardKeyName | ChannelKeyName,
  cardId: Uint8Array,
): Uint8Array {
  const label = new TextEncoder().encode(`${name}/${decodeCardId(cardId).moduleClass}`);
  return deriveByCounter(master, concat(label, Uint8Array.of(0x00), cardId, Uint8Array.of(0x00, 0x80)));
}

/**
 * Derives the key set of a card's secure channel; `firmware-notes/protocol.md` 1.2.
 * @param master personalisation, 16 octets.
 * @param cardId 8 octets.
 * @throws FormatError when the card id is not one.
 */
export function deriveChannelKeys(master: Uint8Array, cardId: Uint8Array): ChannelKeySet {
  return {
    version: CHANNEL_KEY_VERSION,
    enc: deriveCardKey(master, 'scp03-enc', cardId),
    mac: deriveCardKey(master, 'scp03-mac', cardId),
    dek: deriveCardKey(master, 'scp03-dek', cardId),
  };
}

/**
 * Derives a key by SP 800-108 r1 4.1, KDF in counter mode: PRF AES-CMAC, an 8-bit counter before the fixed input, one
 * block.
 * @param key 16 octets, or their CMAC.
 * @param fixedInput label, 00, context, length in bits.
 * @returns 16 octets.
 * @throws OutOfRangeError when the key is not 16 octets.
 */
export function deriveByCounter(key: Uint8Array | Cmac, fixedInput: Uint8Array): Uint8Array {
  const cmac = key instanceof Cmac ? key : new Cmac(key);
  return cmac.compute(concat(Uint8Array.of(0x01), fixedInput));
}
