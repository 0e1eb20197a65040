/** Octets of an RTP payload of seven TS packets. */
export const FULL_PAYLOAD = 7 * 188;
/** Most packets of a group; `firmware-notes/protocol.md` 5.1. */
const MOST_PACKETS = 1024;

/**
 * The least n, one card packet in n, at which a card that does nothing else keeps up with a stream.
 * @param bitRate of the payload, bit/s.
 * @param decodes groups that the card opens in a second.
 * @returns undefined when not even the largest group is large enough.
 */
export function leastEvery(bitRate: number, decodes: number): number | undefined {
  const every = Math.ceil(bitRate / (8 * FULL_PAYLOAD) / decodes);
  return every <= MOST_PACKETS ? every : undefined;
}
