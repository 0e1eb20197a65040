import {
  PAYLOAD_TYPE_MPEG_TS,
  parseRtpHeader,
  type RtpHeader,
  readRtpPayload,
} from '../../stream/packet/rtp-packet.ts';
import { readMpegAudioFrame } from './audio/mpeg-audio-frame.ts';
import { joinRecords, type MediaChunk, type MediaSource, splitRecords } from './media-source.ts';
import { TS_PACKET } from './ts/ts-packet.ts';

/** MPEG audio, RFC 3551 table 4. */
const PAYLOAD_TYPE_MPEG_AUDIO = 14;
/** Octets in front of MPEG audio in its packets, RFC 2250 3.5. */
const MPEG_AUDIO_PREFIX = 4;
/** Sequence numbers that are remembered, so that a packet which the network doubles counts once. */
const REMEMBERED = 128;

/** Takes the RTP headers off datagrams. */
export class RtpPayloads {
  readonly #seen = new Set<string>();

  /** @returns the payload; nothing for a repeat, and for what is not RTP. */
  take(datagram: Uint8Array): Uint8Array | undefined {
    const rtp = readHeader(datagram);
    if (rtp === undefined) return undefined;
    const name = `${rtp.ssrc} ${rtp.sequence}`;
    if (this.#seen.has(name)) return undefined;
    this.#seen.add(name);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value!);
    const prefix = rtp.payloadType === PAYLOAD_TYPE_MPEG_AUDIO ? MPEG_AUDIO_PREFIX : 0;
    return payloadOf(datagram, rtp)?.subarray(prefix);
  }
}

/** Whether a datagram may be RTP; the next one shows it. */
export function mayBeRtp(datagram: Uint8Array): boolean {
  return readHeader(datagram) !== undefined;
}

/** Whether datagrams are RTP. Two of one stream in line show it, or one with the media of its payload type. */
export function areRtp(datagrams: readonly Uint8Array[]): boolean {
  const headers = datagrams.map(readHeader);
  const [first, second] = headers;
  if (first === undefined || headers.includes(undefined)) return false;
  if (second !== undefined) {
    const isNext = second.sequence === ((first.sequence + 1) & 0xffff);
    return isNext && second.ssrc === first.ssrc && second.payloadType === first.payloadType;
  }
  const payload = payloadOf(datagrams[0]!, first);
  if (payload === undefined) return false;
  if (first.payloadType === PAYLOAD_TYPE_MPEG_TS) return payload.length % TS_PACKET === 0;
  return first.payloadType === PAYLOAD_TYPE_MPEG_AUDIO && readMpegAudioFrame(payload, MPEG_AUDIO_PREFIX) !== undefined;
}

/** Takes the RTP headers off the datagrams of a source. What is not RTP is let go. */
export function unwrapRtp(source: MediaSource): MediaSource {
  const payloads = new RtpPayloads();
  return {
    async *[Symbol.asyncIterator](): AsyncGenerator<MediaChunk> {
      for await (const chunk of source) {
        const records = splitRecords(chunk).map((datagram) => payloads.take(datagram));
        yield joinRecords(
          records.filter((record) => record !== undefined),
          chunk.arrival,
        );
      }
    },
  };
}

function readHeader(datagram: Uint8Array): RtpHeader | undefined {
  try {
    return parseRtpHeader(datagram);
  } catch {
    return undefined;
  }
}

function payloadOf(datagram: Uint8Array, header: RtpHeader): Uint8Array | undefined {
  try {
    return readRtpPayload(datagram, header);
  } catch {
    return undefined;
  }
}
