/**
 * The index (ROC and sequence number, 48 bits) that a sequence number means next to a known one: the guess of RFC 3711 3.3.1, appendix A.
 * @param anchor index known to be right.
 * @param sequence u16 of another packet, sent within 2^15 packets of the anchor.
 * @returns negative when the packet would be older than the stream.
 */
export function indexNear(anchor: number, sequence: number): number {
  // The difference modulo 2^16, signed; no division, as every packet comes by here.
  return anchor + (((sequence - anchor) << 16) >> 16);
}
