import { expect, test } from 'vitest';
import { ClearWriter, joinRtpPackets } from '../../../../host/stream/opening/clear-packets.ts';
import { GroupOpener } from '../../../../host/stream/opening/group-opener.ts';
import { PacketGroup } from '../../../../host/stream/opening/packet-group.ts';
import { PacketPool } from '../../../../host/stream/opening/packet-pool.ts';
import type { MediaPacket } from '../../../../host/stream/packet/media-packet.ts';
import { readMediaPacket } from '../../../../host/stream/packet/media-packet.ts';
import { writeMki } from '../../../../host/stream/packet/mki.ts';
import { writeRtpHeader } from '../../../../host/stream/packet/rtp-packet.ts';
import { nodeAead } from '../../../../host/transport/crypto/node-aead.ts';
import { makeCardPacket, makeGapPacket, setPackets } from '../../../support/cards/hand-packets.ts';

function groupOf(...packets: MediaPacket[]): PacketGroup {
  const group = new PacketGroup(1, new PacketPool(), 0);
  for (const packet of packets) expect(group.add(packet, 0)).toBe('held');
  return group;
}

/** What comes out of a group when the card answers like this to its card packet number `which`. */
function openWith(group: PacketGroup, answer: Uint8Array, which = 0) {
  const writer = new ClearWriter();
  const opened = new GroupOpener(nodeAead).open(group, group.cards[which]!, answer, new Uint8Array(12), writer);
  return { opened, payloads: [...joinRtpPackets(writer.written)].map((packet) => [...packet.subarray(12)]) };
}

const repeated = (length: number, octet: number) => Array<number>(length).fill(octet);
const CONTENT = new Uint8Array(16).fill(0xcc);
/** In mode open; the rest behind the card part is the payload's. */
const open = (rest: number) => ({ mode: 'open', rest: new Uint8Array(4).fill(rest) }) as const;

test('a group holds 2,000 gap packets, 16 rivals of each and 64 card packets; more are forged', () => {
  const gaps = new PacketGroup(1, new PacketPool(), 0);
  for (let i = 0; i < 2000; i++) expect(gaps.add(makeGapPacket(1, i), 0)).toBe('held');
  expect(gaps.add(makeGapPacket(1, 2000), 0)).toBe('forged');
  expect(gaps.packets).toBe(2000);

  const rivals = groupOf(makeGapPacket(1, 5));
  for (let i = 1; i <= 16; i++) expect(rivals.add(makeGapPacket(1, 5, i), 0)).toBe('held');
  expect(rivals.add(makeGapPacket(1, 5, 17), 0)).toBe('forged');
  expect(rivals.add(makeGapPacket(1, 5, 3), 0)).toBe('duplicate');
  expect(rivals.packets).toBe(17);

  // Those of one sequence number leave room for those of others, up to 512 in all.
  for (let i = 0; i < 100; i++) expect(rivals.add(makeGapPacket(1, 6 + i), 0)).toBe('held');
  for (let i = 0; i < 496; i++)
    expect(rivals.add(makeGapPacket(1, 6 + (i % 100), 1 + Math.floor(i / 100)), 0)).toBe('held');
  expect(rivals.add(makeGapPacket(1, 6, 254), 0)).toBe('forged');

  const cards = groupOf(...Array.from({ length: 64 }, (_, octets) => makeCardPacket(1, 100, { octets })));
  expect(cards.add(makeCardPacket(1, 100, { octets: 64 }), 0)).toBe('forged');
  expect(cards.add(makeCardPacket(1, 100, { octets: 4 }), 0)).toBe('duplicate');
  expect(cards.cards).toHaveLength(64);
});

test('a card packet that no sender makes is malformed, and is not kept', () => {
  const group = new PacketGroup(1, new PacketPool(), 0);
  const odd = [
    makeCardPacket(1, 100, { sequence: 101 }),
    makeCardPacket(1, 0x1_0064, { sequence: 101 }),
    makeCardPacket(1, 100, { detached: true }),
    ...[0x0803, 0x1003, 0x2003, 0x4003, 0, 2001].map((count) => makeCardPacket(1, 100, { change: setPackets(count) })),
    makeCardPacket(1, 100, { rest: new Uint8Array(15) }),
  ];
  for (const [at, packet] of odd.entries()) expect(group.add(packet, 0), `${at}`).toBe('malformed');
  expect(group.packets).toBe(0);
  expect(group.add(makeCardPacket(1, 0x1_0064), 0)).toBe('held');
  expect(group.add(makeCardPacket(1, 100, { ...open(0), rest: new Uint8Array(0) }), 0)).toBe('held');
});

test('the memory of a card packet that was refused is used again', () => {
  const pool = new PacketPool();
  const group = new PacketGroup(1, pool, 0);
  for (const octets of [1, 2]) group.add(makeCardPacket(1, 100, { octets }), 0);
  const [refused, other] = group.cards;
  group.refuse(refused!);
  expect(group.cards).toEqual([other]);
  expect(pool.hold(makeGapPacket(2, 200)).memory).toBe(refused!.packet.memory);
});

test('positions run from 1 to the last packet that the card part names', () => {
  const group = groupOf(makeCardPacket(1, 0x2_fffe));
  const places = [0xfffd, 0xfffe, 0xffff, 0, 1, 2].map((sequence) => group.positionOf(group.cards[0]!, sequence));
  expect(places).toEqual([0, 0, 1, 2, 0, 0]);
});

test('in mode open no packet comes out that lies outside the group or has the position of another', () => {
  const group = groupOf(
    makeCardPacket(1, 100, open(0xdd)),
    makeGapPacket(1, 101, 1),
    makeGapPacket(1, 101, 9),
    makeGapPacket(1, 102, 2),
    makeGapPacket(1, 103, 3),
    makeGapPacket(1, 99, 4),
  );
  const { opened, payloads } = openWith(group, CONTENT);
  expect(payloads).toEqual([[...repeated(16, 0xcc), ...repeated(4, 0xdd)], repeated(40, 1), repeated(40, 2)]);
  expect(opened).toEqual({ packets: 3, octets: 100, forged: 3, foreign: 0 });
});

test('the rest of a card packet with another card part than the one asked about does not come out', () => {
  const group = groupOf(makeCardPacket(1, 100, { ...open(0xbb), octets: 1 }), makeCardPacket(1, 100, open(0xdd)));
  const { opened, payloads } = openWith(group, CONTENT, 1);
  expect(payloads).toEqual([[...repeated(16, 0xcc), ...repeated(4, 0xdd)]]);
  expect(opened).toEqual({ packets: 1, octets: 20, forged: 1, foreign: 0 });
});

test('a payload is cut to the octets that the header claims only if it is alone in its group', () => {
  const short = { mode: 'open', rest: new Uint8Array(0), octets: 10 } as const;
  expect(openWith(groupOf(makeCardPacket(1, 100, { ...short, packets: 1 })), CONTENT).payloads).toEqual([
    repeated(10, 0xcc),
  ]);
  expect(openWith(groupOf(makeCardPacket(1, 100, short)), CONTENT).payloads).toEqual([repeated(16, 0xcc)]);
});

test('a datagram has 1,400 octets at most', () => {
  const octets = new Uint8Array(1401);
  writeRtpHeader(octets, { marker: false, payloadType: 33, sequence: 1, timestamp: 0, ssrc: 0x1234 });
  writeMki(octets, 1397, { cardPacket: false, group: 1 });
  expect(readMediaPacket(octets)).toBeUndefined();
  writeMki(octets, 1396, { cardPacket: false, group: 1 });
  expect(readMediaPacket(octets.subarray(0, 1400))).toMatchObject({ group: 1 });
});
