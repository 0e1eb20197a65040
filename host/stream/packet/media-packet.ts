import { findMki, MKI_LENGTH } from './mki.ts';
import { MAX_DATAGRAM, readRtpHeader, type RtpHeader } from './rtp-packet.ts';

/** A packet of the media port, with what can be read before it is opened. */
export interface MediaPacket {
  readonly octets: Uint8Array;
  readonly rtp: RtpHeader;
  /** Whether it is the card packet of its group. */
  readonly cardPacket: boolean;
  /** Number of its group, 1 to 2^31 - 1. */
  readonly group: number;
}

/** Offset of the octet whose lowest bit RIST sets in a repaired packet: the last one of the SSRC. */
const REPAIR_MARK_AT = 11;

/**
 * Reads a datagram of the media port, `firmware-notes/protocol.md` 5.
 * @param octets not copied. The mark of repaired packets in RIST Simple Profile (SSRC, bit 0) is cleared in them.
 * @returns undefined when it is too long or cut short, not RTP, or has no MKI.
 */
export function readMediaPacket(octets: Uint8Array): MediaPacket | undefined {
  if (octets.length > MAX_DATAGRAM) return undefined;
  if ((octets[REPAIR_MARK_AT]! & 1) !== 0) octets[REPAIR_MARK_AT]! &= 0xfe;
  const rtp = readRtpHeader(octets);
  if (rtp === undefined || octets.length < rtp.length + MKI_LENGTH) return undefined;
  const mki = findMki(octets);
  return mki && { octets, rtp, cardPacket: mki.cardPacket, group: mki.group };
}
