import {
  type CardHeader,
  completeCardPart,
  MAX_PACKETS,
  parseCardHeader,
  readCardPartLength,
} from '../../../apdu/decode-module/packets/card-part.ts';
import { CARD_HEADER } from '../../../apdu/layout/packets.ts';
import type { MediaPacket } from '../packet/media-packet.ts';
import { MKI_LENGTH } from '../packet/mki.ts';
import { AEAD_TAG } from '../packet/packet-aead.ts';
import type { HeldPacket } from './packet-pool.ts';

/** A card packet with what its card part says. Only the card can tell whether that is authentic. */
export interface HeldCardPacket {
  readonly packet: HeldPacket;
  /** The whole card part, as DECODE takes it. */
  readonly part: Uint8Array;
  /** Octets of the card part as it was sent. */
  readonly sentLength: number;
  readonly header: CardHeader;
  /** Sequence number of the last packet that it names. */
  readonly last: number;
}

/** What a card packet says; undefined when it is malformed. */
export function readCardPacket(packet: MediaPacket): Omit<HeldCardPacket, 'packet'> | undefined {
  const payload = packet.octets.subarray(packet.rtp.length, packet.octets.length - MKI_LENGTH);
  let sentLength: number;
  try {
    sentLength = readCardPartLength(payload);
  } catch {
    return undefined;
  }
  const part = completeCardPart(payload.subarray(0, sentLength), packet.rtp.ssrc, packet.group);
  const header = parseCardHeader(part);
  // Protocol 5.1: the index ends in the sequence number, flags are zero, there are 1 to 2,000 packets.
  const isWellFormed =
    header.index % 0x10000 === packet.rtp.sequence &&
    CARD_HEADER.readUint(part, 'flagsAndPackets') === header.packets &&
    header.packets >= 1 &&
    header.packets <= MAX_PACKETS &&
    payload.length >= sentLength + (header.mode === 'sealed' ? AEAD_TAG : 0);
  const last = (header.index + header.packets - 1) % 0x10000;
  return isWellFormed ? { part, sentLength, header, last } : undefined;
}
