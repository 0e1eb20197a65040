import type { ClearPackets } from '../../stream/opening/clear-packets.ts';
import { parseRtpHeader, RTP_HEADER, writeRtpHeader } from '../../stream/packet/rtp-packet.ts';
import type { PictureEntry } from './picture-tracker.ts';

/** The packets from an entry on, with the tables in a packet of their own in front. */
export function enterPicture(clear: ClearPackets, { offset, tables }: PictureEntry): ClearPackets {
  const first = clear.payloadEnds.findIndex((end) => end > offset);
  const headersFrom = clear.headerEnds[first - 1] ?? 0;
  const front = tables.length === 0 ? new Uint8Array() : makeHeaderBefore(clear.headers.subarray(headersFrom));
  const payload = new Uint8Array(tables.length + clear.payload.length - offset);
  payload.set(tables);
  payload.set(clear.payload.subarray(offset), tables.length);
  const headers = new Uint8Array(front.length + clear.headers.length - headersFrom);
  headers.set(front);
  headers.set(clear.headers.subarray(headersFrom), front.length);
  const moveAll = (ends: readonly number[], by: number) => ends.slice(first).map((end) => end + by);
  return {
    payload,
    payloadEnds: [
      ...(tables.length === 0 ? [] : [tables.length]),
      ...moveAll(clear.payloadEnds, tables.length - offset),
    ],
    headers,
    headerEnds: [
      ...(front.length === 0 ? [] : [front.length]),
      ...moveAll(clear.headerEnds, front.length - headersFrom),
    ],
  };
}

/** The header of a packet that comes right before another one. */
function makeHeaderBefore(packet: Uint8Array): Uint8Array {
  const { payloadType, sequence, timestamp, ssrc } = parseRtpHeader(packet);
  const header = new Uint8Array(RTP_HEADER);
  writeRtpHeader(header, { marker: false, payloadType, sequence: (sequence - 1) & 0xffff, timestamp, ssrc });
  return header;
}
