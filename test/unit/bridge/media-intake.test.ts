import { expect, test } from 'vitest';
import { writeUint } from '../../../apdu/octets.ts';
import { MediaIntake, type TakenGroup } from '../../../host/bridge/intake/media-intake.ts';
import { PACKET_BUFFER } from '../../../host/stream/opening/packet-pool.ts';
import { makePayloads, TestService } from '../../support/streams/test-service.ts';

function startIntake() {
  const drops = new Map<string, number>();
  const intake = new MediaIntake({
    onDrop: (reason, packets) => drops.set(reason, (drops.get(reason) ?? 0) + packets),
  });
  return { intake, drops };
}

function packetsOf(service: TestService, groups: number): Uint8Array[] {
  return service.seal(makePayloads(10 * groups, 200)).flatMap(({ packets }) => packets.map(({ octets }) => octets));
}

function takeOne(intake: MediaIntake, now: number): TakenGroup | undefined {
  return [...intake.take(now)][0];
}

/** Opens all that is there. */
function settleAll(intake: MediaIntake, now: number): number[] {
  const settled: number[] = [];
  for (let before = -1; settled.length > before;) {
    before = settled.length;
    for (const taken of intake.take(now)) {
      settled.push(taken.group.number);
      intake.settle(taken, true, now);
    }
  }
  return settled;
}

test('keeps streams apart', () => {
  const { intake, drops } = startIntake();
  const [a, b] = [new TestService({ cards: [] }), new TestService({ cards: [] })];
  const [fromA, fromB] = [packetsOf(a, 3), packetsOf(b, 3)];
  intake.add(
    fromA.flatMap((packet, i) => [packet, fromB[i]!]),
    [],
    0,
  );
  expect(settleAll(intake, 0)).toEqual([1, 1, 2, 2, 3, 3]);
  expect([intake.isEmpty, intake.hasStream(a.ssrc), intake.hasStream(b.ssrc + 2)]).toEqual([true, true, false]);
  expect(drops.size).toBe(0);
});

test('a repaired packet with the mark of RIST takes the place of the lost one', () => {
  const { intake, drops } = startIntake();
  const packets = packetsOf(new TestService({ cards: [] }), 1);
  const repair = packets[4]!.slice();
  repair[11]! |= 1;
  intake.add([...packets.slice(0, 4), ...packets.slice(5), repair, repair], [], 0);
  const { group, card } = takeOne(intake, 0)!;
  expect(group.isComplete(card)).toBe(true);
  expect(group.inOrder(card).map(({ octets }) => octets)).toEqual(packets.slice(1));
  expect(drops).toEqual(new Map([['duplicate', 1]]));
});

test('a flood of forged streams does not push out the stream that plays', () => {
  const { intake, drops } = startIntake();
  const service = new TestService({ cards: [] });
  const packets = packetsOf(service, 2);
  intake.add(packets.slice(0, 10), [], 0);
  expect(settleAll(intake, 0)).toEqual([1]);
  for (let i = 0; i < 50; i++) intake.add(packetsOf(new TestService({ cards: [] }), 1).slice(0, 5), [], i);
  intake.add(packets.slice(10), [], 60);
  const settled = settleAll(intake, 60);
  expect(settled).toContain(2);
  expect(drops.get('overflow')).toBeGreaterThan(200);
});

test('a group that is being asked about survives the end of its stream', () => {
  const { intake } = startIntake();
  const packets = packetsOf(new TestService({ cards: [] }), 1);
  intake.add(packets, [], 0);
  const taken = takeOne(intake, 0)!;
  const { group, card, stream } = taken;
  for (let i = 0; i < 10; i++) intake.add(packetsOf(new TestService({ cards: [] }), 1), [], i);
  expect(intake.hasStream(card.header.ssrc)).toBe(false);
  expect([stream.groups, stream.size]).toEqual([1, group.size]);
  expect(group.inOrder(card).map(({ octets }) => octets)).toEqual(packets.slice(1));
  stream.settle(group.number, card, 0);
  expect([stream.groups, stream.size, stream.hasOpened]).toEqual([0, 0, true]);
});

test('a forged stream takes the memory of its packets and no more', () => {
  const { intake } = startIntake();
  const [packet] = packetsOf(new TestService({ cards: [] }), 1);
  for (let i = 0; i < 10_000; i++) {
    const forged = packet!.slice();
    writeUint(forged, 8, 4, 2 * i);
    intake.add([forged], [i % 8], i);
  }
  // 8 senders with 4 streams each hold a packet each, in slabs of 64.
  expect(intake.memory).toBeLessThanOrEqual(64 * PACKET_BUFFER);
});

test('streams that the card has a key for are kept when others are forgotten', () => {
  const known = new TestService({ cards: [] });
  const intake = new MediaIntake({ onDrop: () => undefined, isKnown: (ssrc) => ssrc === known.ssrc });
  intake.add(packetsOf(known, 1).slice(0, 1), [], 0);
  for (let i = 0; i < 50; i++) intake.add(packetsOf(new TestService({ cards: [] }), 1), [], i);
  expect(intake.hasStream(known.ssrc)).toBe(true);
});

test('who has lost its place to another sender has none until there is one again', () => {
  const { intake, drops } = startIntake();
  const service = new TestService({ cards: [] });
  const packets = packetsOf(service, 4);
  intake.add(packets.slice(0, 1), [1], 0);
  // It has had its place for longest when all of these go on sending and one more comes.
  for (let source = 2; source <= 32; source++) intake.add(packets.slice(1, 2), [source], 500);
  for (const now of [990, 1050]) {
    for (let source = 32; source >= 1; source--) intake.add(packets.slice(2, 3), [source], now);
  }
  intake.add(packets.slice(3, 4), [33], 1060);
  intake.add([Uint8Array.of(1)], [33], 1060);
  intake.add(packets.slice(3, 4), [1], 1060);
  // The first packet of the new sender, and that of the one that made room.
  expect(drops.get('stranger')).toBe(2);
});
