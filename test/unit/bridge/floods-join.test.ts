import { describe, expect } from 'vitest';
import { writeUint } from '../../../apdu/octets.ts';
import { cardTest } from '../../../card-sim/vitest.ts';
import { Dice, FloodedBridge, type Forged, SENDER, STRANGER } from '../../support/streams/flooded-bridge.ts';
import { makePayloads, personalise, START, TestService } from '../../support/streams/test-service.ts';

const test = cardTest('soft');
const CREDIT = 10_000_000n;
const LENGTH = 200;
/** Packets of a group, which lasts 20 ms. */
const EVERY = 10;
const dice = new Dice(2);

/** Of any stream, or of the genuine one; of any group. */
function atRandom(genuine: Uint8Array, isOfStream: boolean): Uint8Array {
  const octets = genuine.slice();
  octets.set(dice.octets(2), 2);
  if (!isOfStream) writeUint(octets, 8, 4, 2 * dice.next(2 ** 31));
  octets.set(dice.octets(4), octets.length - 4);
  return octets;
}

describe('joining under a flood', () => {
  let nextSource = STRANGER;
  test.for([
    { what: 'random RTP of somebody else', isOfStream: false, source: () => STRANGER, count: 20 },
    { what: "random RTP from the sender's own address", isOfStream: false, source: () => SENDER, count: 1 },
    { what: 'the genuine stream at random', isOfStream: true, source: () => STRANGER, count: 40 },
    { what: 'datagrams from ever new addresses', isOfStream: true, source: () => nextSource++, count: 40 },
  ])('of $what the first group that comes whole plays', async ({ isOfStream, source, count }, { card }) => {
    const cardId = await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [cardId], every: EVERY });
    const flooded = new FloodedBridge(card);
    await flooded.clock.advance(10);
    const flood = (packet: Uint8Array) =>
      Array.from({ length: count }, (): Forged[number] => [atRandom(packet, isOfStream), source()]);
    // The flood is there before the keys.
    const [example] = service.seal(makePayloads(1, LENGTH))[0]!.packets;
    for (let ms = 0; ms < 1000; ms += 10) {
      flooded.receive(flood(example!.octets));
      await flooded.clock.advance(10);
    }
    await flooded.join(service.keys());
    const joinedAt = flooded.clock.monotonic();
    let playedAt: number | undefined;
    await flooded.play(service, makePayloads(60 * EVERY, LENGTH), (packet) => {
      if (flooded.bridge.status.groups > 0) playedAt ??= flooded.clock.monotonic();
      return flood(packet);
    });
    expect(playedAt! - joinedAt).toBeLessThan(1000);
    // Two groups a second is what a short repair time costs at most; the rest plays.
    expect(flooded.bridge.status.packets).toBeGreaterThan(45 * EVERY);
    await flooded.stop();
  });
});

test('what strangers send does not count in the pace of which the price of an hour is told', async ({ card }) => {
  const cardId = await personalise(card, 1, CREDIT);
  const service = new TestService({ cards: [cardId], every: EVERY });
  let octetsPerHour: (() => bigint) | undefined;
  const flooded = new FloodedBridge(card, {
    decidePrice: async (offer) => {
      octetsPerHour = () => offer.octetsPerHour();
      return true;
    },
  });
  await flooded.join(service.keys());
  const payloads = makePayloads(30 * EVERY, LENGTH);
  let told = 0n;
  await flooded.play(service, payloads, (packet) => {
    told = octetsPerHour?.() ?? told;
    return Array.from({ length: 20 }, (): Forged[number] => [atRandom(packet, true), STRANGER]);
  });
  // A packet each 2 ms, of 200 octets and what sealing adds.
  const perHour = Number(told) / (3_600_000 / 2);
  expect(perHour).toBeGreaterThan(LENGTH);
  expect(perHour).toBeLessThan(1.3 * LENGTH);
  await flooded.stop();
});

describe('a sender that moves', () => {
  const flood = (packet: Uint8Array) =>
    Array.from({ length: 20 }, (): Forged[number] => [atRandom(packet, true), STRANGER]);

  test('to another address is taken up within 2 s, under a flood too', async ({ card }) => {
    const cardId = await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [cardId], every: EVERY });
    const flooded = new FloodedBridge(card);
    await flooded.join(service.keys());
    await flooded.play(service, makePayloads(10 * EVERY, LENGTH), flood);
    const movedAt = flooded.clock.monotonic();
    const before = flooded.bridge.status.groups;
    let playedAt: number | undefined;
    await flooded.play(
      service,
      makePayloads(150 * EVERY, LENGTH),
      (packet) => {
        if (flooded.bridge.status.groups > before) playedAt ??= flooded.clock.monotonic();
        return flood(packet);
      },
      SENDER + 1,
    );
    expect(before).toBe(10);
    expect(playedAt! - movedAt).toBeLessThan(2000);
    await flooded.stop();
  });

  test('and starts anew, with another stream and other keys, is taken up within 2 s', async ({ card }) => {
    const cardId = await personalise(card, 1, CREDIT);
    const first = new TestService({ cards: [cardId], every: EVERY });
    const flooded = new FloodedBridge(card);
    await flooded.join(first.keys());
    await flooded.play(first, makePayloads(10 * EVERY, LENGTH), flood);
    const second = new TestService({ cards: [cardId], every: EVERY, start: START + 1 });
    const movedAt = flooded.clock.monotonic();
    await flooded.join(second.keys(), SENDER + 2);
    let playedAt: number | undefined;
    await flooded.play(
      second,
      makePayloads(60 * EVERY, LENGTH),
      (packet) => {
        if (flooded.bridge.status.groups > 10) playedAt ??= flooded.clock.monotonic();
        return flood(packet);
      },
      SENDER + 1,
    );
    expect(playedAt! - movedAt).toBeLessThan(2000);
    expect(flooded.bridge.status).toMatchObject({ groups: 70, missing: 0 });
    await flooded.stop();
  });
});
