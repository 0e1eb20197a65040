import { readUint } from '../../../apdu/octets.ts';

const VERSION = 2;
const BYE = 203;

/**
 * The streams that end, as a compound RTCP packet says (BYE, RFC 3550 6.1, 6.6). RTCP is not authenticated, so the
 * caller has to look at the media too.
 * @param datagram any octets.
 * @returns SSRCs; none when the packet is malformed, or has no BYE.
 */
export function readLeavingStreams(datagram: Uint8Array): number[] {
  const leaving: number[] = [];
  let at = 0;
  while (at + 4 <= datagram.length) {
    const first = datagram[at]!;
    const end = at + 4 + 4 * readUint(datagram, at + 2, 2);
    const count = first & 31;
    // RFC 3550 A.2: every part has version 2, and the lengths add up to the whole.
    if (first >>> 6 !== VERSION || end > datagram.length) return [];
    if (datagram[at + 1] === BYE) {
      if (at + 4 + 4 * count > end) return [];
      for (let i = 0; i < count; i++) leaving.push(readUint(datagram, at + 4 + 4 * i, 4));
    }
    at = end;
  }
  return at === datagram.length ? leaving : [];
}
