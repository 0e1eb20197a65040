import { type FileDescription, PAYLOAD_TYPE_FILE } from '../../stream/file/file-description.ts';
import { PAYLOAD_TYPE_MPEG_TS } from '../../stream/packet/rtp-packet.ts';
import { AudioPacker } from './audio/audio-packer.ts';
import { chooseGroupPieces, FilePacker } from './file/file-packer.ts';
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

/** The RTP payload type of a format. @param file that is sent as a file, and not as a stream. */
export function payloadTypeOf(format: SourceFormat, file?: FileDescription): number {
  if (file !== undefined) return PAYLOAD_TYPE_FILE;
  return format === 'ts' ? PAYLOAD_TYPE_MPEG_TS : PAYLOAD_TYPE_DATA;
}

export interface PackerOptions {
  /** bit/s in place of the source's own clock, or of the times of arrival. */
  readonly rate?: number | undefined;
  /** TS packets of 188 octets in a payload, 1 to 7; of another format, as many octets. */
  readonly packing: number;
  /** Whether the source comes as time passes; a file is there before it is read. */
  readonly isLive: boolean;
  /** The file that is sent piece by piece; what is sent is a stream when left out. */
  readonly file?: FileDescription | undefined;
  /** Most packets and ms of a group. */
  readonly every?: number | undefined;
  readonly closingTime?: number | undefined;
}

/** Makes the packer of a format. */
export function makePacker(
  timeline: MediaTimeline,
  format: SourceFormat,
  { rate, packing, isLive, file, every = 1, closingTime = 1000 }: PackerOptions,
): Packer {
  if (file !== undefined) {
    const pace = rate ?? DEFAULT_RATE;
    return new FilePacker(timeline, file, { rate: pace, groupPieces: chooseGroupPieces(every, pace, closingTime) });
  }
  const size = packing * TS_PACKET;
  const isRecords = format === 'lines' || format === 'data';
  if (isRecords && isLive) return new RecordPacker(timeline, { size, lines: format === 'lines', rate });
  if (isRecords || rate !== undefined) return new RatePacker(timeline, rate ?? DEFAULT_RATE, size);
  return format === 'audio' ? new AudioPacker(timeline, size) : new TsPacker(timeline, packing, TS_LAYOUTS[format]);
}
