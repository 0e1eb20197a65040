import { MKI_LENGTH, readMki } from './mki.ts';
import { MAX_DATAGRAM, parseRtpHeader, type RtpHeader } from './rtp-packet.ts';

/** A packet of the media port, read as far as it can be before anything is opened. */
export interface MediaPacket {
  readonly octets: Uint8Array;
  readonly rtp: RtpHeader;
  /** Whether it opens its group. */
  readonly cardPacket: boolean;
  /** 1 to 2^31 - 1. */
  readonly group: number;
}

/** Octet of the SSRC whose lowest bit RIST sets in a repair. */
const RIST_MARK_AT = 11;

/**
 * Reads a datagram of the media port, `firmware-notes/protocol.md` 5.
 * @param octets looked at, not copied. The mark that RIST Simple Profile puts on a repair (bit 0 of the SSRC) is taken off in place.
 * @returns undefined for what is no packet: too long, cut short, not RTP, no MKI.
 */
export function readMediaPacket(octets: Uint8Array): MediaPacket | undefined {
  if (octets.length > MAX_DATAGRAM) return undefined;
  if ((octets[RIST_MARK_AT]! & 1) !== 0) octets[RIST_MARK_AT]! &= 0xfe;
  try {
    const rtp = parseRtpHeader(octets);
    if (octets.length < rtp.length + MKI_LENGTH) return undefined;
    const { cardPacket, group } = readMki(octets);
    return { octets, rtp, cardPacket, group };
  } catch {
    return undefined;
  }
}
