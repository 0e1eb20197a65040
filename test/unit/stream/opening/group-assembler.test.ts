import { beforeEach, describe, expect, test } from 'vitest';
import {
  ASSEMBLER_DEFAULTS,
  type AssemblerOptions,
  GroupAssembler,
} from '../../../../host/stream/opening/group-assembler.ts';
import type { PacketGroup } from '../../../../host/stream/opening/packet-group.ts';
import { PACKET_BUFFER } from '../../../../host/stream/opening/packet-pool.ts';
import { makeCardPacket, makeGapPacket } from '../../../support/cards/hand-packets.ts';

type Taken = NonNullable<ReturnType<GroupAssembler['take']>>;

let drops: [string, number][];

beforeEach(() => {
  drops = [];
});

function start(options: Partial<AssemblerOptions> = {}): GroupAssembler {
  const onDrop = (reason: string, packets: number) => void drops.push([reason, packets]);
  return new GroupAssembler({ ...ASSEMBLER_DEFAULTS, onDrop, ...options });
}

function settle(assembler: GroupAssembler, { group, card }: Taken, now = 0): void {
  assembler.settle(group.number, card, now);
}

/** All three packets of a group. */
function addWhole(assembler: GroupAssembler, group: number, now: number): void {
  assembler.add(makeCardPacket(group, 100 * group), now);
  for (const place of [1, 2]) assembler.add(makeGapPacket(group, 100 * group + place, group), now);
}

/** What a whole group's gap packets have in them. */
function expectWhole(group: PacketGroup): void {
  const held = group.inOrder(group.cards[0]!).map(({ octets }) => octets);
  expect(held).toEqual(
    [1, 2].map((place) => makeGapPacket(group.number, 100 * group.number + place, group.number).octets),
  );
}

describe('a group that is being asked about', () => {
  test('is not dropped because it waits long', () => {
    const assembler = start();
    addWhole(assembler, 1, 0);
    const taken = assembler.take(0)!;
    const { group } = taken;
    addWhole(assembler, 2, 0);
    assembler.expire(60_000);
    expect([assembler.groups, assembler.size, drops]).toEqual([1, 3 * PACKET_BUFFER, [['overflow', 3]]]);
    addWhole(assembler, 3, 60_000);
    expectWhole(group);
    settle(assembler, taken);
    expect(assembler.take(60_100)?.group.number).toBe(3);
  });

  test('is not dropped when there are too many; the farthest of the others is', () => {
    const assembler = start({ maxOctets: 6 * PACKET_BUFFER });
    for (const number of [1, 2]) addWhole(assembler, number, 0);
    const taken = assembler.take(0)!;
    const { group } = taken;
    addWhole(assembler, 3, 0);
    expect([assembler.groups, assembler.size]).toEqual([2, 6 * PACKET_BUFFER]);
    expect(drops).toEqual([1, 2, 3].map(() => ['overflow', 1]));
    expectWhole(group);
    settle(assembler, taken);
    expect(assembler.take(100)?.group.number).toBe(2);
  });

  test('is not dropped when everything else goes', () => {
    const assembler = start();
    for (const number of [1, 2, 3]) addWhole(assembler, number, 0);
    const taken = assembler.take(0)!;
    const { group } = taken;
    assembler.clear();
    expect([assembler.groups, assembler.size]).toEqual([1, 3 * PACKET_BUFFER]);
    expect(drops).toEqual([
      ['overflow', 3],
      ['overflow', 3],
    ]);
    addWhole(assembler, 4, 0);
    expectWhole(group);
    settle(assembler, taken);
    expect([assembler.groups, assembler.hasOpened]).toEqual([1, true]);
  });
});

describe('what is held', () => {
  test('has room for the group that the card is asked about, one more of 2,000 packets, and most of a third', () => {
    const assembler = start();
    const room = Math.floor(ASSEMBLER_DEFAULTS.maxOctets / PACKET_BUFFER);
    expect([room, 2000 * PACKET_BUFFER]).toEqual([5991, 2_800_000]);
    const add = (packet: number) => {
      const group = Math.floor(packet / 2000) + 1;
      const header = { packets: 2000 };
      assembler.add(packet % 2000 === 0 ? makeCardPacket(group, packet, header) : makeGapPacket(group, packet), 0);
    };
    for (let packet = 0; packet < 2000; packet++) add(packet);
    const taken = assembler.take(0)!;
    const { group } = taken;
    expect([group.isComplete(taken.card), group.packets]).toEqual([true, 2000]);
    for (let packet = 2000; packet < room; packet++) add(packet);
    expect([assembler.groups, assembler.size, drops]).toEqual([3, room * PACKET_BUFFER, []]);
    add(room);
    expect(assembler.size).toBeLessThanOrEqual(ASSEMBLER_DEFAULTS.maxOctets);
    expect(drops).toEqual([['overflow', room + 1 - 4000]]);
    settle(assembler, taken);
    expect([assembler.groups, assembler.size]).toEqual([1, 2000 * PACKET_BUFFER]);
  });

  test('does not grow by card packets that the card refused', () => {
    const assembler = start();
    addWhole(assembler, 1, 0);
    for (const octets of [1, 2, 3]) assembler.add(makeCardPacket(1, 100, { octets }), 0);
    for (let held = 6; held > 3; held--) {
      const { group, card } = assembler.take(0)!;
      expect(assembler.size).toBe(held * PACKET_BUFFER);
      assembler.refuse(group, card);
    }
    const { group, card } = assembler.take(2000)!;
    expect(assembler.size).toBe(3 * PACKET_BUFFER);
    assembler.refuse(group, card);
    expect([assembler.groups, assembler.size]).toEqual([0, 0]);
  });

  test('has no group for a packet that was malformed', () => {
    const assembler = start();
    assembler.add(makeCardPacket(9, 100, { sequence: 7 }), 0);
    expect([assembler.groups, assembler.size, assembler.dueAt, drops]).toEqual([0, 0, Infinity, [['malformed', 1]]]);
  });

  test('belongs to older groups is counted as late when a newer group is opened', () => {
    const assembler = start();
    addWhole(assembler, 2, 0);
    const taken = assembler.take(0)!;
    for (const place of [1, 2]) assembler.add(makeGapPacket(1, 100 + place), 0);
    settle(assembler, taken);
    expect([assembler.groups, assembler.size, drops]).toEqual([0, 0, [['late', 2]]]);
  });
});

describe('the turn of a group', () => {
  test('comes at once where the stream is joined', () => {
    const assembler = start();
    addWhole(assembler, 5, 0);
    expect(assembler.take(0)?.group.number).toBe(5);
  });

  test('comes at once when the group before it was let go', () => {
    const assembler = start();
    addWhole(assembler, 1, 0);
    settle(assembler, assembler.take(0)!);
    assembler.add(makeGapPacket(2, 201), 0);
    assembler.add(makeGapPacket(3, 301, 3), 0);
    assembler.add(makeGapPacket(3, 302, 3), 0);
    assembler.add(makeCardPacket(3, 300), 50);
    expect(assembler.take(99)).toBeUndefined();
    expect(assembler.take(100)?.group.number).toBe(3);
    expect(drops).toEqual([['noCardPacket', 1]]);
  });

  test('of an older group than those held comes after the repair time', () => {
    const assembler = start();
    assembler.add(makeGapPacket(2, 201), 0);
    expect(assembler.dueAt).toBe(1500);
    assembler.add(makeGapPacket(1, 101), 10);
    expect(assembler.dueAt).toBe(110);
  });

  test('comes one repair time after its last packet', () => {
    const assembler = start();
    assembler.add(makeGapPacket(1, 101), 0);
    assembler.add(makeGapPacket(2, 201), 0);
    expect(assembler.dueAt).toBe(100);
    assembler.add(makeGapPacket(1, 102), 80);
    expect(assembler.dueAt).toBe(180);
  });
});

describe('a flood of groups far ahead', () => {
  test('pushes out nothing that is nearer', () => {
    const assembler = start();
    addWhole(assembler, 1, 0);
    settle(assembler, assembler.take(0)!);
    assembler.add(makeGapPacket(2, 201, 2), 0);
    for (let i = 0; i < 20_000; i++) assembler.add(makeGapPacket(3 + ((i * 7919) % 4000), i % 0x10000), 1);
    expect(assembler.size).toBeLessThanOrEqual(ASSEMBLER_DEFAULTS.maxOctets);
    assembler.add(makeCardPacket(2, 200), 2);
    assembler.add(makeGapPacket(2, 202, 2), 2);
    const { group } = assembler.take(2)!;
    expect(group.number).toBe(2);
    expectWhole(group);
  });

  test('is let go before it takes memory, unless the stream may have gone on so far', () => {
    const assembler = start();
    addWhole(assembler, 1, 0);
    settle(assembler, assembler.take(0)!, 0);
    for (const number of [10_000, 100_000, 2 ** 31 - 1]) assembler.add(makeGapPacket(number, 7), 1);
    expect([assembler.groups, assembler.size]).toEqual([0, 0]);
    expect(drops).toEqual([10_000, 100_000, 2 ** 31 - 1].map(() => ['outside', 1]));
    // A second later as many groups may have been sent, and none of them have come.
    assembler.add(makeGapPacket(100_000, 7), 1000);
    expect(assembler.groups).toBe(1);
  });
});
