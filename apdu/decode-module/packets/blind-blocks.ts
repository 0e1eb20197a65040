import { OutOfRangeError } from '../../errors.ts';
import { concat, writeUint } from '../../octets.ts';
import type { AesCbc } from '../keys/aes-cbc.ts';

const BLOCK = 16;
const MOST_BLOCKS = 15;

/** Blocks that stand in a packet with nothing around them; `firmware-notes/protocol.md` 6.1. */
export interface BlindPacket {
  readonly keyId: number;
  readonly ssrc: number;
  /** u32 that never comes twice under one key and SSRC: the packet's index, or its place in the file. */
  readonly number: number;
}

function initialVector(encryption: AesCbc, { ssrc, number }: BlindPacket): Uint8Array {
  const name = new Uint8Array(BLOCK);
  writeUint(name, 0, 4, ssrc);
  writeUint(name, 4, 4, number);
  return encryption.decrypt(name);
}

function requireBlocks(length: number): void {
  if (length < BLOCK || length > MOST_BLOCKS * BLOCK || length % BLOCK !== 0) {
    throw new OutOfRangeError(`a blind DECODE takes 1 to ${MOST_BLOCKS} blocks of 16 octets, not ${length} octets`);
  }
}

/**
 * Enciphers blocks for a blind DECODE.
 * @param encryption of the blind key.
 * @param plain 16 to 240 octets, whole blocks.
 * @returns as many octets.
 * @throws OutOfRangeError when it is not whole blocks.
 */
export function sealBlind(encryption: AesCbc, packet: BlindPacket, plain: Uint8Array): Uint8Array {
  requireBlocks(plain.length);
  const first = plain.slice();
  initialVector(encryption, packet).forEach((octet, i) => {
    first[i]! ^= octet;
  });
  return encryption.encrypt(first);
}

/** What {@link sealBlind} enciphered. */
export function openBlind(encryption: AesCbc, packet: BlindPacket, blocks: Uint8Array): Uint8Array {
  requireBlocks(blocks.length);
  const plain = encryption.decrypt(blocks);
  initialVector(encryption, packet).forEach((octet, i) => {
    plain[i]! ^= octet;
  });
  return plain;
}

/** Data of a blind DECODE. @throws OutOfRangeError when it is not 1 to 15 whole blocks. */
export function encodeBlind({ keyId, ssrc, number }: BlindPacket, blocks: Uint8Array): Uint8Array {
  requireBlocks(blocks.length);
  const head = new Uint8Array(12);
  writeUint(head, 0, 4, keyId);
  writeUint(head, 4, 4, ssrc);
  writeUint(head, 8, 4, number);
  return concat(head, blocks);
}
