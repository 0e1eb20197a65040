import { FormatError, OutOfRangeError } from '../../../apdu/errors.ts';
import { layout } from '../../../apdu/layout/field-table.ts';
import { opaque, u16, u8 } from '../../../apdu/layout/field.ts';
import { concat } from '../../../apdu/octets.ts';

/** A session announcement, RFC 2974. */
export interface SapPacket {
  /** Whether the session is announced no longer. */
  readonly isDeletion: boolean;
  /** Together with the source it names one version of one session. */
  readonly hash: number;
  /** IPv4 address of the announcer, 4 octets. */
  readonly source: Uint8Array;
  /** Text of the SDP; of a deletion its origin line at least. */
  readonly sdp: string;
}

/** RFC 2974 3 and its figure 1; IPv4, without authentication, encryption or compression. */
const SAP_HEADER = layout('sap header', {
  flags: u8(),
  authenticationLength: u8(),
  hash: u16(),
  source: opaque(4),
});

/** Where announcements of a network with an administrator are sent, and their port everywhere (RFC 2974 3). */
export const DEFAULT_SAP_ADDRESS = '239.255.255.255';
export const SAP_PORT = 9875;
/** The media type that may stand before the payload (RFC 2974 6). */
const MEDIA_TYPE = new TextEncoder().encode('application/sdp\0');
/** RFC 2974 6: packets are no longer than this. */
const MAX_SAP_PACKET = 1024;
const VERSION = 0x20;
const IPV6 = 0x10;
const DELETION = 0x04;
const ENCRYPTED_OR_COMPRESSED = 0x03;

/** @throws OutOfRangeError when the packet would have more than 1,024 octets. */
export function encodeSapPacket({ isDeletion, hash, source, sdp }: SapPacket): Uint8Array {
  const flags = VERSION | (isDeletion ? DELETION : 0);
  const head = SAP_HEADER.encode({ flags, authenticationLength: 0, hash, source });
  const packet = concat(head, MEDIA_TYPE, new TextEncoder().encode(sdp));
  if (packet.length <= MAX_SAP_PACKET) return packet;
  throw new OutOfRangeError(
    `an announcement has at most ${MAX_SAP_PACKET} octets, not ${packet.length}; shorten name and URL`,
  );
}

/**
 * Reads an announcement. Anybody can send one: what it says is a hint where to ask.
 * @throws FormatError when it is not one of SDP over IPv4 in clear.
 */
export function parseSapPacket(octets: Uint8Array): SapPacket {
  if (octets.length <= SAP_HEADER.length || octets.length > MAX_SAP_PACKET) {
    throw new FormatError(`${octets.length} octets are not an announcement; drop them`);
  }
  const { flags, authenticationLength, hash, source } = SAP_HEADER.read(octets);
  if ((flags & 0xe0) !== VERSION || (flags & (IPV6 | ENCRYPTED_OR_COMPRESSED)) !== 0) {
    throw new FormatError('the announcement is of another version, over IPv6, encrypted or compressed; drop it');
  }
  let payload = octets.subarray(SAP_HEADER.length + 4 * authenticationLength);
  const hasType = MEDIA_TYPE.every((octet, i) => payload[i] === octet);
  if (hasType) payload = payload.subarray(MEDIA_TYPE.length);
  const sdp = new TextDecoder().decode(payload);
  if (!sdp.startsWith('v=0')) throw new FormatError('the announcement is not of an SDP; drop it');
  return { isDeletion: (flags & DELETION) !== 0, hash, source, sdp };
}
