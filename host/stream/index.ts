/** The packets of a service: sealed at the head-end, opened at the bridge. */
import '../../apdu/require-node.ts';
export { type ClearPackets, ClearWriter } from './opening/clear-packets.ts';
export type { ClearSink } from './opening/clear-sink.ts';
export { GroupAssembler } from './opening/group-assembler.ts';
export { GroupOpener, type OpenedGroup } from './opening/group-opener.ts';
export { GroupSealer, MAX_PAYLOAD } from './sealing/group-sealer.ts';
export type { MediaPayload, SealedGroup, SealedPacket, SealerOptions, SealingKey } from './sealing/group-sealer.ts';
export { type DueMessages, KeyCarousel } from './sealing/key-carousel.ts';
export { type MediaPacket, readMediaPacket } from './packet/media-packet.ts';
export { type Mki, readMki, writeMki } from './packet/mki.ts';
export { type AeadFactory, nobleAead, type PacketAead } from './packet/packet-aead.ts';
export { readLeavingStreams } from './packet/rtcp-bye.ts';
export { encodeGoodbye, type Goodbye } from './packet/rtcp-goodbye.ts';
export { parseRtpHeader, type RtpHeader, readRtpPayload, writeRtpHeader } from './packet/rtp-packet.ts';
export { deriveSrtpSession, computePacketIv, type SrtpSession } from './packet/srtp-keys.ts';
