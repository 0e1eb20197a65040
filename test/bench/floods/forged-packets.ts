import { randomBytes, randomInt } from 'node:crypto';
import { writeUint } from '../../../apdu/octets.ts';
import type { MediaPacket } from '../../../host/stream/packet/media-packet.ts';
import { writeMki } from '../../../host/stream/packet/mki.ts';
import { RTP_HEADER } from '../../../host/stream/packet/rtp-packet.ts';
import type { MediaFlood } from './relay.ts';

/** Packets of a group; the bench's sender has as many unless the closing time comes first. */
const GROUP = 100;
/** Where the fields of a card part lie in a packet. */
const PACKETS_AT = RTP_HEADER + 2;
const OCTETS_AT = RTP_HEADER + 4;
const SPAN_AT = RTP_HEADER + 24;

/** Lets through so many a second; what is above is left out. */
export function limitRate(flood: MediaFlood, perSecond: number): MediaFlood {
  const startedAt = performance.now();
  let sent = 0;
  return (packet) => {
    const allowed = ((performance.now() - startedAt) * perSecond) / 1000 - sent;
    const forged = flood(packet).slice(0, Math.max(0, Math.ceil(allowed)));
    sent += forged.length;
    return forged;
  };
}

/** So many forged card packets ahead of each group: the span changed, a tiny group, or more than comes, by turns. */
export function forgeCardPackets(count: number): MediaFlood {
  return (packet) => {
    if (!packet.cardPacket) return [];
    return Array.from({ length: count }, (_, i) => {
      const octets = packet.octets.slice();
      octets.set(randomBytes(16), SPAN_AT);
      if (i % 3 === 1) {
        writeUint(octets, PACKETS_AT, 2, 1);
        writeUint(octets, OCTETS_AT, 3, 100);
      } else if (i % 3 === 2) {
        writeUint(octets, PACKETS_AT, 2, 2000);
        writeUint(octets, OCTETS_AT, 3, 2_600_000);
      }
      return octets;
    });
  };
}

/** Genuine SSRC, sequence number and group at random, for each genuine packet. */
export const forgeAtRandom: MediaFlood = ({ octets: genuine }) => {
  const octets = genuine.slice();
  writeUint(octets, 2, 2, randomInt(0x10000));
  octets.set(randomBytes(4), octets.length - 4);
  return [octets];
};

/** Gap packets for the group after this one, `rivals` for each index, ahead of it. */
export function forgeNextGaps(rivals: number): MediaFlood {
  return (packet) => {
    if (packet.cardPacket) return [];
    return Array.from({ length: rivals }, () => forgeGap(packet, packet.group + 1, packet.rtp.sequence + GROUP));
  };
}

/** Gap packets for this group, `rivals` for each index, in front of the genuine ones. */
export function forgePresentGaps(rivals: number): MediaFlood {
  return (packet) => Array.from({ length: rivals }, () => forgeGap(packet, packet.group, packet.rtp.sequence + 1));
}

/** The genuine card packet from somewhere else, with gap packets that nobody sealed: whoever believes it pays. */
export const copyCardPacket: MediaFlood = (packet) => {
  if (!packet.cardPacket) return [];
  const gaps = Array.from({ length: GROUP - 1 }, (_, i) => forgeGap(packet, packet.group, packet.rtp.sequence + 1 + i));
  return [packet.octets.slice(), ...gaps];
};

function forgeGap({ octets: genuine }: MediaPacket, group: number, sequence: number): Uint8Array {
  const octets = new Uint8Array(genuine.length);
  octets.set(genuine.subarray(0, RTP_HEADER));
  octets.set(randomBytes(octets.length - RTP_HEADER), RTP_HEADER);
  writeUint(octets, 2, 2, sequence % 0x10000);
  writeMki(octets, octets.length - 4, { cardPacket: false, group });
  return octets;
}
