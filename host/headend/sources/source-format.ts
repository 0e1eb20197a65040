import { PAYLOAD_TYPE_MPEG_TS } from '../../stream/packet/rtp-packet.ts';
import { AudioPacker } from './audio/audio-packer.ts';
import type { MediaTimeline } from './media-timeline.ts';
import { type Packer, RatePacker } from './rate-packer.ts';
import { RecordPacker } from './record-packer.ts';
import { TsPacker } from './ts/ts-packer.ts';
import { TS_FORMATS, TS_LAYOUTS, TS_PACKET, type TsFormat } from './ts/ts-packet.ts';

/**
 * What a source carries: an MPEG transport stream, in packets of 188 octets or another layout; frames of MPEG audio or
 * ADTS; lines of text; or octets of any kind, which are datagrams where the source has them.
 */
export type SourceFormat = TsFormat | 'audio' | 'lines' | 'data';

/** All formats, as they are named on the command line. */
export const SOURCE_FORMATS: readonly SourceFormat[] = [...TS_FORMATS, 'audio', 'lines', 'data'];

/** All but MPEG-TS, a dynamic payload type of RFC 3551 3: that of RFC 2250 for audio wants a header of its own. */
const PAYLOAD_TYPE_DATA = 96;
/** bit/s of a file without a clock. */
const DEFAULT_RATE = 10_000_000;

/** The RTP payload type of a format. */
export function payloadTypeOf(format: SourceFormat): number {
  return format === 'ts' ? PAYLOAD_TYPE_MPEG_TS : PAYLOAD_TYPE_DATA;
}

export interface PackerOptions {
  /** bit/s in place of the source's own clock, or of the times of arrival. */
  readonly rate?: number | undefined;
  /** TS packets of 188 octets in a payload, 1 to 7; of another format, as many octets. */
  readonly packing: number;
  /** Whether the source comes as time passes; a file is there before it is read. */
  readonly isLive: boolean;
}

/** Makes the packer of a format. */
export function makePacker(
  timeline: MediaTimeline,
  format: SourceFormat,
  { rate, packing, isLive }: PackerOptions,
): Packer {
  const size = packing * TS_PACKET;
  const isRecords = format === 'lines' || format === 'data';
  if (isRecords && isLive) return new RecordPacker(timeline, { size, lines: format === 'lines', rate });
  if (isRecords || rate !== undefined) return new RatePacker(timeline, rate ?? DEFAULT_RATE, size);
  return format === 'audio' ? new AudioPacker(timeline, size) : new TsPacker(timeline, packing, TS_LAYOUTS[format]);
}
