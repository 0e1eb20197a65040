import { MAX_PACKETS } from '../../apdu/decode-module/packets/card-part.ts';

/** Octets of an RTP payload of seven TS packets. */
export const FULL_PAYLOAD = 7 * 188;

/**
 * Computes the smallest n, one card packet in n, at which a card that does nothing else keeps up with a stream.
 * @param bitRate of the payload, bit/s.
 * @param decodes groups that the card opens in a second.
 * @returns undefined when not even the largest group is large enough.
 */
export function computeMinEvery(bitRate: number, decodes: number): number | undefined {
  const every = Math.ceil(bitRate / (8 * FULL_PAYLOAD) / decodes);
  return every <= MAX_PACKETS ? every : undefined;
}
