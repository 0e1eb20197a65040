import { concat } from '../../../apdu/octets.ts';
import { PAYLOAD_TYPE_MPEG_TS } from '../../stream/packet/rtp-packet.ts';
import type { MediaTimeline } from './media-timeline.ts';
import type { MediaChunk, MediaSource } from './media-source.ts';
import { type Packer, RatePacker } from './rate-packer.ts';
import { TsPacker } from './ts-packer.ts';
import { ENOUGH_TO_DETECT, isTransportStream, TS_PACKET } from './ts-packet.ts';

/** What a source carries: an MPEG transport stream, or octets of any kind. */
export type SourceFormat = 'ts' | 'data';

/** Plain data, a dynamic payload type of RFC 3551 3. */
const PAYLOAD_TYPE_DATA = 96;
/** bit/s of a source without a clock. */
const DEFAULT_RATE = 10_000_000;

/** The RTP payload type of a format. */
export function payloadTypeOf(format: SourceFormat): number {
  return format === 'ts' ? PAYLOAD_TYPE_MPEG_TS : PAYLOAD_TYPE_DATA;
}

/**
 * Detects the format of a source from its first octets.
 * @returns the format, and a source to read in place of this one.
 * @throws TransportError `SOURCE`.
 */
export async function detectFormat(source: MediaSource): Promise<{ format: SourceFormat; media: MediaSource }> {
  const chunks = source[Symbol.asyncIterator]();
  const first: MediaChunk[] = [];
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < ENOUGH_TO_DETECT) {
    const next = await chunks.next();
    if (next.done === true) break;
    first.push(next.value);
    head = concat(head, next.value.octets);
  }
  const whole: MediaSource = {
    async *[Symbol.asyncIterator]() {
      yield* first;
      yield* { [Symbol.asyncIterator]: () => chunks };
    },
  };
  return { format: isTransportStream(head) ? 'ts' : 'data', media: whole };
}

/**
 * Makes the packer of a format.
 * @param rate bit/s; a transport stream without one keeps its own clock.
 * @param packing TS packets in a payload, 1 to 7; of data, as many octets.
 */
export function makePacker(
  timeline: MediaTimeline,
  format: SourceFormat,
  rate: number | undefined,
  packing: number,
): Packer {
  if (format === 'ts' && rate === undefined) return new TsPacker(timeline, packing);
  return new RatePacker(timeline, rate ?? DEFAULT_RATE, packing * TS_PACKET);
}
