import { FormatError, OutOfRangeError } from '../../../apdu/errors.ts';
import { readUint, writeUint } from '../../../apdu/octets.ts';

/** Octets of one UDP payload; `firmware-notes/protocol.md` 5. */
export const MAX_DATAGRAM = 1400;
/** Octets of an RTP header without CSRCs and extension. */
export const RTP_HEADER = 12;
/** MPEG-TS, RFC 3551 table 5. */
export const PAYLOAD_TYPE_MPEG_TS = 33;

const RTP_VERSION = 2;

/** What the first 12 octets of an RTP packet say; RFC 3550 5.1. */
export interface RtpFields {
  readonly marker: boolean;
  /** 0 to 127. */
  readonly payloadType: number;
  /** u16. */
  readonly sequence: number;
  /** u32, in the clock of the payload type. */
  readonly timestamp: number;
  /** u32. */
  readonly ssrc: number;
}

export interface RtpHeader extends RtpFields {
  /** Octets of the whole header, CSRCs and extension included: where the payload starts. */
  readonly length: number;
  /** Whether the payload ends in padding. Under SRTP the padding is enciphered with the payload. */
  readonly padding: boolean;
}

/**
 * Reads the header of an RTP packet, with its CSRCs and its extension (RFC 3550 5.1, 5.3.1).
 * @param packet any octets; what follows the header is not looked at.
 * @throws FormatError when the version is not 2 or the header is cut short.
 */
export function parseRtpHeader(packet: Uint8Array): RtpHeader {
  const header = readRtpHeader(packet);
  if (header !== undefined) return header;
  if (!isRtp(packet)) {
    throw new FormatError(
      'these octets are not an RTP packet of version 2; check that nothing else sends to this port',
    );
  }
  throw new FormatError('an RTP packet ends within its header or its extension; it was cut short');
}

/** The same without an error, which costs more than all else where somebody floods a port with anything. */
export function readRtpHeader(packet: Uint8Array): RtpHeader | undefined {
  if (!isRtp(packet)) return undefined;
  const first = packet[0]!;
  const second = packet[1]!;
  let length = RTP_HEADER + 4 * (first & 15);
  if ((first & 0x10) !== 0) {
    if (packet.length < length + 4) return undefined;
    length += 4 + 4 * readUint(packet, length + 2, 2);
  }
  if (packet.length < length) return undefined;
  return {
    marker: (second & 0x80) !== 0,
    payloadType: second & 0x7f,
    sequence: readUint(packet, 2, 2),
    timestamp: readUint(packet, 4, 4),
    ssrc: readUint(packet, 8, 4),
    length,
    padding: (first & 0x20) !== 0,
  };
}

function isRtp(packet: Uint8Array): boolean {
  return packet.length >= RTP_HEADER && packet[0]! >>> 6 === RTP_VERSION;
}

/**
 * The payload of a clear RTP packet, without its padding.
 * @param packet without MKI or tag.
 * @throws FormatError when the padding does not fit into the payload.
 */
export function readRtpPayload(packet: Uint8Array, header: RtpHeader): Uint8Array {
  if (!header.padding) return packet.subarray(header.length);
  const padding = packet.length > header.length ? (packet[packet.length - 1] ?? 0) : 0;
  if (padding === 0 || padding > packet.length - header.length) {
    throw new FormatError('the padding of an RTP packet is longer than its payload; the packet is malformed');
  }
  return packet.subarray(header.length, packet.length - padding);
}

/**
 * Writes a header of 12 octets, without CSRCs, extension or padding.
 * @param out at least 12 octets.
 * @throws OutOfRangeError when the payload type is not within 0 to 127.
 */
export function writeRtpHeader(out: Uint8Array, fields: RtpFields): void {
  if (fields.payloadType < 0 || fields.payloadType > 127) {
    throw new OutOfRangeError(`payload type ${fields.payloadType} is not within 0 and 127; choose another`);
  }
  out[0] = RTP_VERSION << 6;
  out[1] = (fields.marker ? 0x80 : 0) | fields.payloadType;
  writeUint(out, 2, 2, fields.sequence);
  writeUint(out, 4, 4, fields.timestamp);
  writeUint(out, 8, 4, fields.ssrc);
}
