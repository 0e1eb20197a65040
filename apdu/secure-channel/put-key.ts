import { ecb } from '@noble/ciphers/aes.js';
import { FormatError } from '../errors.ts';
import { encodeCommand } from '../iso7816/command-apdu.ts';
import { parseResponse } from '../iso7816/response-apdu.ts';
import { assertStatusOk } from '../iso7816/status-word.ts';
import { concat, equalTags } from '../octets.ts';
import { type ChannelKeySet, CHANNEL_KEY_LENGTH, requireKeySet } from './scp03-keys.ts';
import type { SecureChannel } from './secure-channel.ts';
import { CHANNEL_INS, CLA_PLAIN } from './security-level.ts';

/** P2 of PUT KEY: several keys, the first is number 1. */
export const PUT_KEY_P2 = 0x81;
/** Octets of the command's data. */
export const PUT_KEY_LENGTH = 70;

const AES = 0x88;
const KCV_LENGTH = 3;
/** Type, length of the component, length of the key, key, length of the check value, check value. */
const BLOCK_LENGTH = 3 + CHANNEL_KEY_LENGTH + 1 + KCV_LENGTH;
const KEY_AT = 3;
const KCV_AT = KEY_AT + CHANNEL_KEY_LENGTH + 1;
const LE_ALL = 256;

/**
 * Computes the check value of an AES key: the first 3 octets of sixteen 01 octets enciphered; GlobalPlatform Card
 * Specification B.6.
 */
export function computeCheckValue(key: Uint8Array): Uint8Array {
  return rawAes(key).encrypt(new Uint8Array(CHANNEL_KEY_LENGTH).fill(1)).slice(0, KCV_LENGTH);
}

/**
 * Makes the data of PUT KEY for a whole key set; GlobalPlatform Card Specification 11.8.2.3.
 * @param dek the card's present DEK, 16 octets.
 * @returns 70 octets.
 * @throws OutOfRangeError when the key set does not fit.
 */
export function encodePutKey(next: ChannelKeySet, dek: Uint8Array): Uint8Array {
  requireKeySet(next);
  const blocks = [next.enc, next.mac, next.dek].map((key) =>
    concat(
      Uint8Array.of(AES, CHANNEL_KEY_LENGTH + 1, CHANNEL_KEY_LENGTH),
      rawAes(dek).encrypt(key),
      Uint8Array.of(KCV_LENGTH),
      computeCheckValue(key),
    ),
  );
  return concat(Uint8Array.of(next.version), ...blocks);
}

/**
 * Reads what {@link encodePutKey} made.
 * @param data 70 octets.
 * @returns undefined when a field or a check value is wrong.
 */
export function decodePutKey(data: Uint8Array, dek: Uint8Array): ChannelKeySet | undefined {
  const version = data[0] ?? 0;
  if (data.length !== PUT_KEY_LENGTH || version < 1 || version > 0x7f) return undefined;
  const [enc, mac, ofDek] = [0, 1, 2].map((index) => {
    const from = 1 + index * BLOCK_LENGTH;
    return decodeBlock(data.subarray(from, from + BLOCK_LENGTH), dek);
  });
  return enc && mac && ofDek && { version, enc, mac, dek: ofDek };
}

function decodeBlock(block: Uint8Array, dek: Uint8Array): Uint8Array | undefined {
  const isFramed =
    block[0] === AES &&
    block[1] === CHANNEL_KEY_LENGTH + 1 &&
    block[2] === CHANNEL_KEY_LENGTH &&
    block[KCV_AT - 1] === KCV_LENGTH;
  if (!isFramed) return undefined;
  const key = rawAes(dek).decrypt(block.subarray(KEY_AT, KEY_AT + CHANNEL_KEY_LENGTH));
  return equalTags(computeCheckValue(key), block.subarray(KCV_AT)) ? key : undefined;
}

/** Makes the answer to a PUT KEY that was carried out: version, and the three check values. */
export function encodePutKeyAnswer(keys: ChannelKeySet): Uint8Array {
  return concat(Uint8Array.of(keys.version), ...[keys.enc, keys.mac, keys.dek].map((key) => computeCheckValue(key)));
}

/**
 * Replaces the card's key set. The channel goes on with its session keys. When the answer is lost, the card holds one
 * of the sets whole: open the channel with `next`, then with `present`.
 *
 * @param channel open with C-ENC.
 * @param present the key set that the card holds.
 * @throws StatusWordError when the card refuses; it keeps `present` then.
 * @throws FormatError when the card confirms other keys.
 * @throws OutOfRangeError when `next` does not fit.
 */
export async function putKey(channel: SecureChannel, present: ChannelKeySet, next: ChannelKeySet): Promise<void> {
  const header = { cla: CLA_PLAIN, ins: CHANNEL_INS.PUT_KEY, p1: present.version, p2: PUT_KEY_P2 };
  const command = encodeCommand({ ...header, data: encodePutKey(next, present.dek), le: LE_ALL });
  const { data, status } = parseResponse(await channel.transmit(command));
  assertStatusOk(status, 'PUT KEY');
  if (!equalTags(data, encodePutKeyAnswer(next))) {
    throw new FormatError(
      'the card confirms other keys than it was sent; open a channel with the new key set to see which one it holds',
    );
  }
}

/** AES of one block. ECB, and CBC with a zero IV, are the same for one block. */
function rawAes(key: Uint8Array): { encrypt(block: Uint8Array): Uint8Array; decrypt(block: Uint8Array): Uint8Array } {
  return ecb(key, { disablePadding: true });
}
