import {
  type CardHeader,
  makeContentCiphers,
  sealCardPart,
  shortenCardPart,
} from '../../../apdu/decode-module/packets/card-part.ts';
import { concat, writeUint } from '../../../apdu/octets.ts';
import { type MediaPacket, readMediaPacket } from '../../../host/stream/packet/media-packet.ts';
import { MKI_LENGTH, writeMki } from '../../../host/stream/packet/mki.ts';
import { AEAD_TAG } from '../../../host/stream/packet/packet-aead.ts';
import { RTP_HEADER, writeRtpHeader } from '../../../host/stream/packet/rtp-packet.ts';

const SSRC = 0x1234;
/** Anybody's: only a card could tell. */
const CIPHERS = makeContentCiphers({ encryption: new Uint8Array(16).fill(1), mac: new Uint8Array(16).fill(2) });

function makePacket(opensGroup: boolean, group: number, sequence: number, payload: Uint8Array): MediaPacket {
  const octets = new Uint8Array(RTP_HEADER + payload.length + MKI_LENGTH);
  writeRtpHeader(octets, { marker: false, payloadType: 33, sequence, timestamp: 0, ssrc: SSRC });
  octets.set(payload, RTP_HEADER);
  writeMki(octets, RTP_HEADER + payload.length, { cardPacket: opensGroup, group });
  return readMediaPacket(octets)!;
}

/** A gap packet whose payload is 40 of this octet. */
export function makeGapPacket(group: number, sequence: number, octet = 0): MediaPacket {
  return makePacket(false, group, sequence, new Uint8Array(40).fill(octet));
}

export interface HandCardPacket extends Partial<CardHeader> {
  /** Of the RTP header; the index's unless told. */
  readonly sequence?: number;
  /** Behind the card part: 16 octets (the tag of nothing) unless told. */
  readonly rest?: Uint8Array;
  /** Octets of the card part as sent to be changed after all. */
  readonly change?: (part: Uint8Array) => void;
}

/** A card packet that a group of three packets begins with, unless told; no card would take it. */
export function makeCardPacket(group: number, index: number, options: HandCardPacket = {}): MediaPacket {
  const { sequence = index & 0xffff, rest = new Uint8Array(AEAD_TAG), change, ...header } = options;
  const whole: CardHeader = {
    mode: 'sealed',
    spanBlocks: 2,
    packets: 3,
    octets: 96,
    duration: 3,
    mediaTime: 1000,
    contentKeyId: 7,
    index,
    ssrc: SSRC,
    group,
    ...header,
  };
  const part = shortenCardPart(sealCardPart(whole, new Uint8Array(16 * whole.spanBlocks), CIPHERS));
  change?.(part);
  return makePacket(true, group, sequence, concat(part, rest));
}

/** Another number of packets than `sealCardPart` would write. */
export function setPackets(count: number): (part: Uint8Array) => void {
  return (part) => writeUint(part, 2, 2, count);
}
