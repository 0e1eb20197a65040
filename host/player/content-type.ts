import type { ClearPackets } from '../stream/opening/clear-packets.ts';
import { PAYLOAD_TYPE_MPEG_TS, parseRtpHeader } from '../stream/packet/rtp-packet.ts';

/** The content type of a stream: of MPEG-TS by its payload type, of audio by the sync word of its frames, which payloads begin with. */
export function detectContentType({ headers, payload: [first = 0, second = 0] }: ClearPackets): string {
  if (parseRtpHeader(headers).payloadType === PAYLOAD_TYPE_MPEG_TS) return 'video/mp2t';
  if (first !== 0xff || second < 0xe0) return 'application/octet-stream';
  // Of MPEG audio frames the two bits of the layer are never zero; those of ADTS are.
  return (second & 0x06) === 0 ? 'audio/aac' : 'audio/mpeg';
}
