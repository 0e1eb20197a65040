import { OutOfRangeError } from '../../errors.ts';
import type { Values } from '../../layout/field-table.ts';
import { BLIND_HEADER } from '../../layout/packets.ts';
import { concat, u32 } from '../../octets.ts';
import type { CbcCipher } from '../keys/aes-cbc.ts';

const BLOCK = 16;
const MAX_BLOCKS = 15;

/** What names the blocks that stand in a packet with nothing around them; `firmware-notes/protocol.md` 6.1. */
export interface BlindPacket extends Values<typeof BLIND_HEADER> {}

function deriveVector(encryption: CbcCipher, { ssrc, number }: BlindPacket): Uint8Array {
  return encryption.decrypt(concat(u32(ssrc), u32(number), new Uint8Array(8)));
}

function requireBlocks(length: number): void {
  if (length < BLOCK || length > MAX_BLOCKS * BLOCK || length % BLOCK !== 0) {
    throw new OutOfRangeError(`a blind DECODE takes 1 to ${MAX_BLOCKS} blocks of 16 octets, not ${length} octets`);
  }
}

/**
 * Enciphers blocks for a blind DECODE.
 * @param encryption of the blind key.
 * @param plain 16 to 240 octets, whole blocks.
 * @returns as many octets.
 * @throws OutOfRangeError when it is not whole blocks.
 */
export function sealBlind(encryption: CbcCipher, packet: BlindPacket, plain: Uint8Array): Uint8Array {
  requireBlocks(plain.length);
  const first = plain.slice();
  deriveVector(encryption, packet).forEach((octet, i) => {
    first[i]! ^= octet;
  });
  return encryption.encrypt(first);
}

/** Deciphers what {@link sealBlind} enciphered. */
export function openBlind(encryption: CbcCipher, packet: BlindPacket, blocks: Uint8Array): Uint8Array {
  requireBlocks(blocks.length);
  const plain = encryption.decrypt(blocks);
  deriveVector(encryption, packet).forEach((octet, i) => {
    plain[i]! ^= octet;
  });
  return plain;
}

/** Makes the data of a blind DECODE. @throws OutOfRangeError when it is not 1 to 15 whole blocks. */
export function encodeBlind(packet: BlindPacket, blocks: Uint8Array): Uint8Array {
  requireBlocks(blocks.length);
  return concat(BLIND_HEADER.encode(packet), blocks);
}
