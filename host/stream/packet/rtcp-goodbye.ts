import { concat, writeUint } from '../../../apdu/octets.ts';

/** What a sender says of itself when it ends. */
export interface Goodbye {
  /** u32. */
  readonly ssrc: number;
  /** ms since 1970. */
  readonly now: number;
  /** RTP timestamp that means `now`, u32. */
  readonly timestamp: number;
  /** Packets and octets of payload sent; they are sent modulo 2^32. */
  readonly packets: number;
  readonly octets: number;
  /** Canonical name, 1 to 255 octets of ASCII; random, and the same through a run (RFC 7022 4.1). */
  readonly cname: string;
}

const VERSION = 0x80;
const SENDER_REPORT = 200;
const SOURCE_DESCRIPTION = 202;
const BYE = 203;
const CNAME = 1;
/** Seconds from 1900, where NTP starts, to 1970 (RFC 5905 6). */
const NTP_TO_UNIX = 2_208_988_800;

/** The compound packet that ends a stream: sender report, source description, BYE (RFC 3550 6.1). */
export function encodeGoodbye(leaving: Goodbye): Uint8Array {
  return concat(encodeSenderReport(leaving), encodeSourceDescription(leaving), encodeBye(leaving));
}

/** RFC 3550 6.4.1, without report blocks. */
function encodeSenderReport({ ssrc, now, timestamp, packets, octets }: Goodbye): Uint8Array {
  const report = beginPacket(SENDER_REPORT, 28, 0);
  writeUint(report, 4, 4, ssrc);
  writeUint(report, 8, 4, (Math.floor(now / 1000) + NTP_TO_UNIX) % 0x100000000);
  writeUint(report, 12, 4, Math.floor(((now % 1000) / 1000) * 0x100000000));
  writeUint(report, 16, 4, timestamp);
  writeUint(report, 20, 4, packets % 0x100000000);
  writeUint(report, 24, 4, octets % 0x100000000);
  return report;
}

/** RFC 3550 6.5, with one chunk and one item; zeros fill the last word. */
function encodeSourceDescription({ ssrc, cname }: Goodbye): Uint8Array {
  const name = new TextEncoder().encode(cname);
  const description = beginPacket(SOURCE_DESCRIPTION, 4 * Math.ceil((8 + 2 + name.length + 1) / 4), 1);
  writeUint(description, 4, 4, ssrc);
  description[8] = CNAME;
  description[9] = name.length;
  description.set(name, 10);
  return description;
}

/** RFC 3550 6.6. */
function encodeBye({ ssrc }: Goodbye): Uint8Array {
  const packet = beginPacket(BYE, 8, 1);
  writeUint(packet, 4, 4, ssrc);
  return packet;
}

/** An RTCP packet with its first word: version, count, type, and length in words less one. */
function beginPacket(type: number, octets: number, count: number): Uint8Array {
  const packet = new Uint8Array(octets);
  packet[0] = VERSION | count;
  packet[1] = type;
  writeUint(packet, 2, 2, octets / 4 - 1);
  return packet;
}
