/**
 * Guesses the index (ROC and sequence number, 48 bits) of a packet from its sequence number and the index of another
 * packet: RFC 3711 3.3.1, appendix A.
 * @param anchor index of the other packet.
 * @param sequence u16, of a packet sent within 2^15 packets of that one.
 * @returns a negative number when the packet would be older than the stream.
 */
export function guessIndex(anchor: number, sequence: number): number {
  // The signed difference modulo 2^16. It takes no division, as this is done for every packet.
  return anchor + (((sequence - anchor) << 16) >> 16);
}
