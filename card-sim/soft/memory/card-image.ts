import { encodeCardLimits, NO_LIMITS } from '../../../apdu/decode-module/card-limits.ts';
import { VERIFICATION_PLACES } from '../../../apdu/decode-module/keys/verification-key.ts';
import { PIN_LENGTH } from '../../../apdu/decode-module/pin.ts';
import { FormatError } from '../../../apdu/errors.ts';
import { CARD_KEY_VALUE, CARD_LIMITS, CARD_PROFILE, VERIFICATION_KEY } from '../../../apdu/layout/card.ts';
import { layout } from '../../../apdu/layout/field-table.ts';
import { flag, opaque, reserved, u8, u24 } from '../../../apdu/layout/field.ts';
import { concat } from '../../../apdu/octets.ts';
import { CHANNEL_KEY_LENGTH, type ChannelKeySet, requireKeySet } from '../../../apdu/secure-channel/scp03-keys.ts';
import { ADDED_TO_KEY_MEMORY, KEY_MEMORY_LENGTH } from '../keys/key-memory.ts';
import { KEY_PAIRS_LENGTH } from '../keys/key-pairs.ts';
import { RECEIPTS_LENGTH, RECORDS_LENGTH } from '../money/purse-memory.ts';

/** "TCSM", version 2: the first octets of an image. */
const MAGIC = Uint8Array.of(0x54, 0x43, 0x53, 0x4d, 0x00, 0x02);
const MAGIC_OF_VERSION_1 = Uint8Array.of(0x54, 0x43, 0x53, 0x4d, 0x00, 0x01);

/** The persistent memory of a soft card; this card's own way. */
export const CARD_IMAGE = layout('soft card', {
  magic: opaque(MAGIC.length),
  spare: reserved(2),
  life: u8(),
  hasProfile: flag(),
  hasKeys: flag(),
  hasPin: flag(),
  triesLeft: u8(),
  alignment: reserved(3),
  profile: opaque(CARD_PROFILE.length),
  keys: opaque(CARD_KEY_VALUE.length),
  keyMemory: opaque(KEY_MEMORY_LENGTH),
  records: opaque(RECORDS_LENGTH),
  receipts: opaque(RECEIPTS_LENGTH),
  limits: opaque(CARD_LIMITS.length),
  verificationKeys: opaque(VERIFICATION_PLACES * VERIFICATION_KEY.length),
  pin: opaque(PIN_LENGTH),
  channelKeys: opaque(1 + 3 * CHANNEL_KEY_LENGTH),
  channelCounter: u24(),
  keyPairs: opaque(KEY_PAIRS_LENGTH),
});

/** The key set of the secure channel as the image has it. */
const KEY_SET = layout('channel key set', {
  version: u8(),
  enc: opaque(CHANNEL_KEY_LENGTH),
  mac: opaque(CHANNEL_KEY_LENGTH),
  dek: opaque(CHANNEL_KEY_LENGTH),
});

/** Makes the image of a new card. @param keys of its secure channel. */
export function blankImage(keys: ChannelKeySet): Uint8Array {
  const image = new Uint8Array(CARD_IMAGE.length);
  image.set(MAGIC);
  image.set(encodeCardLimits(NO_LIMITS), CARD_IMAGE.at.limits);
  image.set(encodeKeySet(keys), CARD_IMAGE.at.channelKeys);
  return image;
}

/** Whether octets have the length and the beginning of an image of this version or the one before. */
export function isImage(octets: Uint8Array): boolean {
  return (octets.length === CARD_IMAGE.length && startsWith(octets, MAGIC)) || isOlderImage(octets);
}

/** Whether octets are an image of version 1. */
export function isOlderImage(octets: Uint8Array): boolean {
  const added = ADDED_TO_KEY_MEMORY.reduce((sum, { length }) => sum + length, 0);
  return octets.length === CARD_IMAGE.length - added && startsWith(octets, MAGIC_OF_VERSION_1);
}

/** Makes room in an image of version 1 for what was added since. @returns an image of this version. */
export function growImage(older: Uint8Array): Uint8Array {
  let image = older;
  for (const { at, length } of ADDED_TO_KEY_MEMORY) {
    const end = CARD_IMAGE.at.keyMemory + at;
    image = concat(image.subarray(0, end), new Uint8Array(length), image.subarray(end));
  }
  image.set(MAGIC);
  return image;
}

function startsWith(octets: Uint8Array, beginning: Uint8Array): boolean {
  return beginning.every((octet, index) => octets[index] === octet);
}

/** @throws FormatError when this is not the image of a card of these versions. */
export function requireImage(image: Uint8Array): void {
  if (!isImage(image)) {
    throw new FormatError(
      `the saved card (${image.length} octets) is damaged, of another version, or not a soft card; ` +
        'name another file, or take this one away and personalise a new card',
    );
  }
}

export function encodeKeySet(keys: ChannelKeySet): Uint8Array {
  requireKeySet(keys);
  return KEY_SET.encode(keys);
}

export function decodeKeySet(octets: Uint8Array): ChannelKeySet {
  return KEY_SET.decode(octets);
}
