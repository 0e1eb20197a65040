import { FormatError, OutOfRangeError } from '../../../apdu/errors.ts';
import { readUint, writeUint } from '../../../apdu/octets.ts';

/** Octets of the MKI, which ends every packet; `firmware-notes/protocol.md` 5. */
export const MKI_LENGTH = 4;
/** Group numbers begin with 1. */
export const MAX_GROUP_NUMBER = 0x7fffffff;

const CARD_PACKET = 0x80000000;

/** Which group a packet belongs to, and whether it is the card packet of that group. */
export interface Mki {
  readonly cardPacket: boolean;
  /** 1 to 2^31 - 1. */
  readonly group: number;
}

/**
 * Reads the MKI off the end of a packet.
 * @throws FormatError when the packet is shorter than an MKI or names group 0.
 */
export function readMki(packet: Uint8Array): Mki {
  const mki = findMki(packet);
  if (mki !== undefined) return mki;
  throw new FormatError('this packet does not end in an MKI; check that nothing else sends to this port');
}

/** The same without an error. */
export function findMki(packet: Uint8Array): Mki | undefined {
  if (packet.length < MKI_LENGTH) return undefined;
  const mki = readUint(packet, packet.length - MKI_LENGTH, MKI_LENGTH);
  const group = mki % CARD_PACKET;
  return group === 0 ? undefined : { cardPacket: mki >= CARD_PACKET, group };
}

/** @throws OutOfRangeError when the group number is not within 1 and 2^31 - 1. */
export function writeMki(out: Uint8Array, at: number, mki: Mki): void {
  if (mki.group < 1 || mki.group > MAX_GROUP_NUMBER) {
    throw new OutOfRangeError(
      `group number ${mki.group} is not within 1 and ${MAX_GROUP_NUMBER}; start the sender anew`,
    );
  }
  writeUint(out, at, MKI_LENGTH, (mki.cardPacket ? CARD_PACKET : 0) + mki.group);
}
