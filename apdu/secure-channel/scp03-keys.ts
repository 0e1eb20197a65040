import { cmac } from '@noble/ciphers/aes.js';
import { OutOfRangeError } from '../errors.ts';
import { concat, writeUint } from '../octets.ts';

/** Octets of every key: AES-128. */
export const CHANNEL_KEY_LENGTH = 16;
/** Octets of host challenge, card challenge and cryptograms: S8 mode. */
export const CHALLENGE_LENGTH = 8;
/** Octets of the sequence counter. */
const COUNTER_LENGTH = 3;
/** The sequence counter at which no channel opens any more. */
export const MAX_COUNTER = 0xff_ffff;

/** The static keys of a card's secure channel, 16 octets each. */
export interface ChannelKeySet {
  /** 1 to 127. */
  readonly version: number;
  readonly enc: Uint8Array;
  readonly mac: Uint8Array;
  /** Enciphers the keys that PUT KEY brings. No session key is made of it. */
  readonly dek: Uint8Array;
}

/** The keys of one session, 16 octets each. */
export interface SessionKeys {
  readonly enc: Uint8Array;
  readonly mac: Uint8Array;
  readonly rmac: Uint8Array;
}

/** Data derivation constants; GlobalPlatform Amendment D 4.1.5, table 4-1. */
const CONSTANT = {
  cardCryptogram: 0x00,
  hostCryptogram: 0x01,
  cardChallenge: 0x02,
  enc: 0x04,
  mac: 0x06,
  rmac: 0x07,
} as const;

/** Label of 12 octets, separator, L u16, counter. */
const FIXED_INPUT_LENGTH = 16;

/** @throws OutOfRangeError unless the version is 1 to 127 and each key has 16 octets. */
export function requireKeySet(keys: ChannelKeySet): void {
  const { version, enc, mac, dek } = keys;
  if (!(Number.isInteger(version) && version >= 1 && version <= 0x7f)) {
    throw new OutOfRangeError(`the version of a key set is 1 to 127, not ${version}`);
  }
  if ([enc, mac, dek].some((key) => key.length !== CHANNEL_KEY_LENGTH)) {
    throw new OutOfRangeError(
      `ENC, MAC and DEK have ${CHANNEL_KEY_LENGTH} octets each, not ${enc.length}, ${mac.length} and ${dek.length}`,
    );
  }
}

/**
 * Amendment D 4.1.5: SP 800-108 in counter mode with AES-CMAC, one block. The counter stands between fixed input and
 * context.
 * @param bits 64 or 128.
 */
function derive(key: Uint8Array, constant: number, context: Uint8Array, bits: 64 | 128): Uint8Array {
  const fixed = new Uint8Array(FIXED_INPUT_LENGTH);
  fixed[11] = constant;
  writeUint(fixed, 13, 2, bits);
  fixed[15] = 1;
  return cmac(concat(fixed, context), key).slice(0, bits / 8);
}

/**
 * Amendment D 6.2.1: S-ENC, S-MAC and S-RMAC of a session.
 * @param hostChallenge 8 octets.
 * @param cardChallenge 8 octets.
 * @throws OutOfRangeError when the key set does not fit.
 */
export function deriveSessionKeys(
  keys: ChannelKeySet,
  hostChallenge: Uint8Array,
  cardChallenge: Uint8Array,
): SessionKeys {
  requireKeySet(keys);
  const context = concat(hostChallenge, cardChallenge);
  return {
    enc: derive(keys.enc, CONSTANT.enc, context, 128),
    mac: derive(keys.mac, CONSTANT.mac, context, 128),
    rmac: derive(keys.mac, CONSTANT.rmac, context, 128),
  };
}

/** Amendment D 6.2.2.2. @returns 8 octets: the card holds the static keys. */
export function deriveCardCryptogram(
  keys: SessionKeys,
  hostChallenge: Uint8Array,
  cardChallenge: Uint8Array,
): Uint8Array {
  return derive(keys.mac, CONSTANT.cardCryptogram, concat(hostChallenge, cardChallenge), 64);
}

/** Amendment D 6.2.2.3. @returns 8 octets: the host holds the static keys. */
export function deriveHostCryptogram(
  keys: SessionKeys,
  hostChallenge: Uint8Array,
  cardChallenge: Uint8Array,
): Uint8Array {
  return derive(keys.mac, CONSTANT.hostCryptogram, concat(hostChallenge, cardChallenge), 64);
}

/**
 * Amendment D 6.2.2.1, the pseudo-random card challenge.
 * @param enc static ENC key, 16 octets.
 * @param counter sequence counter, 0 to FFFFFF.
 * @param aid of the application, 5 to 16 octets.
 * @returns 8 octets.
 */
export function deriveCardChallenge(enc: Uint8Array, counter: number, aid: Uint8Array): Uint8Array {
  const context = new Uint8Array(COUNTER_LENGTH + aid.length);
  writeUint(context, 0, COUNTER_LENGTH, counter);
  context.set(aid, COUNTER_LENGTH);
  return derive(enc, CONSTANT.cardChallenge, context, 64);
}
