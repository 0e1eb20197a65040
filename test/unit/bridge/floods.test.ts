import { describe, expect } from 'vitest';
import { writeUint } from '../../../apdu/octets.ts';
import type { SimulatedCard } from '../../../card-sim/index.ts';
import { cardTest } from '../../../card-sim/vitest.ts';
import { readMediaPacket } from '../../../host/stream/packet/media-packet.ts';
import { writeMki } from '../../../host/stream/packet/mki.ts';
import { Dice, FloodedBridge, type Forged, SENDER, STRANGER } from '../../support/streams/flooded-bridge.ts';
import { makePayloads, personalise, TestService } from '../../support/streams/test-service.ts';

const test = cardTest('soft');
const CREDIT = 10_000_000n;
const LENGTH = 200;
/** Packets of a group. */
const EVERY = 10;
const PAYLOADS = 30 * EVERY;
const dice = new Dice(1);

type Flood = (packet: Uint8Array) => readonly Uint8Array[];

/** Ahead of each group: three with another span, three that name one packet, three that name 2,000. */
const forgedCardPackets: Flood = (genuine) => {
  if (!readMediaPacket(genuine)!.cardPacket) return [];
  return Array.from({ length: 9 }, (_, i) => {
    const octets = genuine.slice();
    octets.set(dice.octets(16), 12 + 24);
    if (i % 3 === 1) octets.set([0, 1, 0, 0, 10], 12 + 2);
    if (i % 3 === 2) octets.set([0x07, 0xd0, 0x20, 0, 0], 12 + 2);
    return octets;
  });
};

/** As many as fifty for each genuine packet: the genuine stream, any sequence number, any group. */
const randomPackets: Flood = (genuine) =>
  Array.from({ length: 50 }, () => {
    const octets = genuine.slice();
    octets.set(dice.octets(2), 2);
    octets.set(dice.octets(4), octets.length - 4);
    return octets;
  });

function forgeGap(genuine: Uint8Array, ahead: number, group: number): Uint8Array {
  const octets = new Uint8Array(genuine.length);
  octets.set(genuine.subarray(0, 12));
  octets.set(dice.octets(octets.length - 12), 12);
  const { sequence } = readMediaPacket(genuine)!.rtp;
  writeUint(octets, 2, 2, (sequence + ahead) % 0x10000);
  writeMki(octets, octets.length - 4, { cardPacket: false, group });
  return octets;
}

const gapsOfNextGroup: Flood = (genuine) => {
  const { group } = readMediaPacket(genuine)!;
  return [1, 2, 3].map(() => forgeGap(genuine, EVERY, group + 1));
};

const gapsOfThisGroup: Flood = (genuine) => {
  const { group, cardPacket } = readMediaPacket(genuine)!;
  if (!cardPacket) return [];
  return Array.from({ length: 2 * (EVERY - 1) }, (_, i) => forgeGap(genuine, 1 + Math.floor(i / 2), group));
};

/** The genuine card packet, and gap packets that do not open: who believes it pays for nothing. */
const copiedCardPacket: Flood = (genuine) =>
  readMediaPacket(genuine)!.cardPacket ? [genuine, ...gapsOfThisGroup(genuine)] : [];

const from = (flood: Flood, source: number) => (packet: Uint8Array) =>
  flood(packet).map((octets) => [octets, source] as const);

async function start(card: SimulatedCard, mode: 'sealed' | 'open' = 'sealed', minShare = 50) {
  const cardId = await personalise(card, 1, CREDIT);
  const service = new TestService({ cards: [cardId], mode, every: EVERY });
  return { cardId, service, flooded: new FloodedBridge(card, { minShare }) };
}

describe('a flood', () => {
  test.for([
    {
      what: 'forged card packets ahead of each group',
      flood: forgedCardPackets,
      mode: 'sealed',
      who: 'somebody else',
      source: STRANGER,
    },
    {
      what: 'forged card packets ahead of each group',
      flood: forgedCardPackets,
      mode: 'open',
      who: 'somebody else',
      source: STRANGER,
    },
    {
      what: 'forged card packets ahead of each group',
      flood: forgedCardPackets,
      mode: 'sealed',
      who: "the sender's own address",
      source: SENDER,
    },
    {
      what: 'forged card packets ahead of each group',
      flood: forgedCardPackets,
      mode: 'open',
      who: "the sender's own address",
      source: SENDER,
    },
    { what: 'packets of any group', flood: randomPackets, mode: 'sealed', who: 'somebody else', source: STRANGER },
    { what: 'packets of any group', flood: randomPackets, mode: 'open', who: 'somebody else', source: STRANGER },
    {
      what: 'packets of any group',
      flood: randomPackets,
      mode: 'sealed',
      who: "the sender's own address",
      source: SENDER,
    },
    {
      what: 'gap packets of the next group',
      flood: gapsOfNextGroup,
      mode: 'sealed',
      who: 'somebody else',
      source: STRANGER,
    },
    {
      what: 'gap packets of the next group',
      flood: gapsOfNextGroup,
      mode: 'open',
      who: 'somebody else',
      source: STRANGER,
    },
    {
      what: 'gap packets of the next group',
      flood: gapsOfNextGroup,
      mode: 'sealed',
      who: "the sender's own address",
      source: SENDER,
    },
    {
      what: 'gap packets of this group',
      flood: gapsOfThisGroup,
      mode: 'sealed',
      who: 'somebody else',
      source: STRANGER,
    },
    { what: 'gap packets of this group', flood: gapsOfThisGroup, mode: 'open', who: 'somebody else', source: STRANGER },
    {
      what: 'gap packets of this group',
      flood: gapsOfThisGroup,
      mode: 'sealed',
      who: "the sender's own address",
      source: SENDER,
    },
    { what: 'copied card packets', flood: copiedCardPacket, mode: 'sealed', who: 'somebody else', source: STRANGER },
    {
      what: 'copied card packets',
      flood: copiedCardPacket,
      mode: 'sealed',
      who: "the sender's own address",
      source: SENDER,
    },
  ] as const)(
    'of $what, mode $mode, from $who: all of it plays, for its price',
    async ({ flood, mode, source }, { card }) => {
      const { service, flooded } = await start(card, mode);
      await flooded.join(service.keys());
      const payloads = makePayloads(PAYLOADS, LENGTH);
      await flooded.play(service, payloads, from(flood, source));
      expect(flooded.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
      const octets = PAYLOADS * LENGTH;
      expect(flooded.bridge.status).toMatchObject({ paid: octets, received: octets, missing: 0 });
      const { bill } = await flooded.stop();
      expect(bill!.amount).toBe(BigInt(octets) / 4n);
    },
  );

  test('of what is not RTP, and of streams that nobody has a key for, plays no part', async ({ card }) => {
    const { service, flooded } = await start(card);
    await flooded.join(service.keys());
    const payloads = makePayloads(PAYLOADS, LENGTH);
    const anything: Flood = (genuine) =>
      Array.from({ length: 20 }, (_, i) => {
        const octets = i % 2 === 0 ? dice.octets(100) : genuine.slice();
        octets.set(dice.octets(4), 8);
        return octets;
      });
    await flooded.play(service, payloads, from(anything, STRANGER));
    expect(flooded.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
    await flooded.stop();
  });

  test('from ever new addresses leaves the sender its place', async ({ card }) => {
    const { service, flooded } = await start(card);
    await flooded.join(service.keys());
    const payloads = makePayloads(PAYLOADS, LENGTH);
    let source = STRANGER;
    await flooded.play(service, payloads, (packet) =>
      forgedCardPackets(packet).map((octets): Forged[number] => [octets, source++]),
    );
    expect(flooded.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
    await flooded.stop();
  });

  test('is told with its address, and is not taken for a slow card', async ({ card }) => {
    const { service, flooded } = await start(card);
    await flooded.join(service.keys());
    const payloads = makePayloads(60 * EVERY, LENGTH);
    await flooded.play(service, payloads, from(randomPackets, STRANGER));
    expect(flooded.notices).toHaveLength(1);
    expect(flooded.notices[0]).toMatch(
      /^somebody else sends to this group: 192\.0\.2\.66:6666, \d+ packets a second that nothing opens; /,
    );
    expect(flooded.bridge.status.drops).toMatchObject({ cardSlow: 0, forged: 0, duplicate: 0 });
    expect(flooded.bridge.status.drops.stranger).toBeGreaterThan(20_000);
    await flooded.stop();
  });

  test("is told too when it comes from the sender's own address", async ({ card }) => {
    const { service, flooded } = await start(card);
    await flooded.join(service.keys());
    await flooded.play(service, makePayloads(60 * EVERY, LENGTH), from(forgedCardPackets, SENDER));
    expect(flooded.notices).toEqual([
      expect.stringMatching(
        /^somebody else sends to this group under the sender's own address, 192\.0\.2\.1:5000: about \d+ packets a second that it did not seal; they are let go unpaid; /,
      ),
    ]);
    await flooded.stop();
  });

  test('of card packets for the stream that nobody sends uses a share of the card, and no more', async ({ card }) => {
    const cardId = await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [cardId], every: EVERY });
    // The content key is for this stream too, so a card packet of it can only be told by the card.
    const other = new TestService({ cards: [cardId], every: 1 });
    const flooded = new FloodedBridge(card);
    await flooded.join([...service.keys()]);
    await flooded.play(service, makePayloads(10 * EVERY, LENGTH));
    const { commands } = flooded.bridge.status;
    const packets = other.seal(makePayloads(PAYLOADS, LENGTH)).flatMap((group) => group.packets);
    let next = 0;
    await flooded.play(service, makePayloads(PAYLOADS, LENGTH), () => {
      const octets = packets[next++ % packets.length]!.octets.slice();
      writeUint(octets, 8, 4, service.ssrc);
      return [[octets, STRANGER]];
    });
    expect(flooded.bridge.status.missing).toBe(0);
    expect(flooded.bridge.status.commands - commands).toBeLessThan(PAYLOADS / EVERY + 20);
    await flooded.stop();
  });
});

describe('forged packets', () => {
  test.for(
    [
      {
        what: 'the last gap packet of the next group',
        forge: (genuine: Uint8Array) => forgeGap(genuine, 2 * EVERY - 1, 2),
      },
      {
        what: 'a gap packet of the group after it',
        forge: (genuine: Uint8Array) => forgeGap(genuine, 2 * EVERY + 2, 3),
      },
    ].flatMap((each) => [
      { ...each, silent: 'in its middle', after: EVERY - 4 },
      { ...each, silent: 'near its beginning', after: 2 },
    ]),
  )(
    "of $what at the sender's own address cost nothing of a group whose sender falls silent $silent",
    async ({ forge, after }, { card }) => {
      const { service, flooded } = await start(card);
      await flooded.join(service.keys());
      const payloads = makePayloads(4 * EVERY, LENGTH);
      const groups = service.seal(payloads);
      const forged: Forged = [[forge(groups[0]!.packets[0]!.octets), SENDER]];
      for (const [number, { packets }] of groups.entries()) {
        for (const [i, { octets }] of packets.entries()) {
          if (number === 1 && i === 1) flooded.receive(forged);
          flooded.receive([[octets, SENDER]]);
          await flooded.clock.advance(2);
          if (number === 1 && i === after) await flooded.clock.advance(1000);
        }
      }
      await flooded.clock.advance(400);
      expect(flooded.bridge.status).toMatchObject({ paid: 4 * EVERY * LENGTH, missing: 0 });
      expect(flooded.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
      await flooded.stop();
    },
  );

  test('of somebody else do not count as received: a group is not paid for them', async ({ card }) => {
    const { service, flooded } = await start(card, 'sealed', 100);
    await flooded.join(service.keys());
    const [first, second] = service.seal(makePayloads(2 * EVERY, LENGTH));
    flooded.receive(first!.packets.map(({ octets }) => [octets, SENDER]));
    await flooded.clock.advance(20);
    expect(flooded.bridge.status.groups).toBe(1);
    const [cardPacket, ...gaps] = second!.packets.map(({ octets }) => octets);
    const forged = gaps.map((octets) => forgeGap(octets, 0, 2));
    flooded.receive([[cardPacket!, SENDER], ...forged.map((octets): Forged[number] => [octets, STRANGER])]);
    for (let ms = 0; ms < 2500; ms += 50) await flooded.clock.advance(50);
    expect(flooded.bridge.status).toMatchObject({ groups: 1, paid: EVERY * LENGTH, missing: 0 });
    await flooded.stop();
  });

  test('with a copy of the card packet, paid before the true ones came, cost nothing: what was paid for is opened', async ({
    card,
  }) => {
    const { service, flooded } = await start(card);
    await flooded.join(service.keys());
    const payloads = makePayloads(EVERY, LENGTH);
    const packets = service.seal(payloads)[0]!.packets.map(({ octets }) => octets);
    const forged = packets.slice(1).map((octets) => forgeGap(octets, 0, 1));
    // Nobody has opened anything yet, so the copy is believed.
    flooded.receive([packets[0]!, ...forged].map((octets): Forged[number] => [octets, STRANGER]));
    await flooded.clock.advance(10);
    expect(flooded.bridge.status).toMatchObject({ groups: 1, packets: 0 });
    flooded.receive(packets.map((octets): Forged[number] => [octets, SENDER]));
    await flooded.clock.advance(10);
    expect(flooded.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
    expect(flooded.bridge.status).toMatchObject({ groups: 1, paid: EVERY * LENGTH, missing: 0 });
    const { bill } = await flooded.stop();
    expect(bill!.amount).toBe(BigInt(EVERY * LENGTH) / 4n);
  });

  test('are told from lost ones: another sender gives what one has lost', async ({ card }) => {
    const { service, flooded } = await start(card);
    await flooded.join(service.keys());
    const payloads = makePayloads(3 * EVERY, LENGTH);
    const groups = service.seal(payloads).map((group) => group.packets.map(({ octets }) => octets));
    for (const packets of groups) {
      const second = packets.filter((_, i) => i % 3 === 1).map((octets): Forged[number] => [octets, STRANGER]);
      flooded.receive([
        ...second,
        ...packets.filter((_, i) => i % 3 !== 1).map((octets): Forged[number] => [octets, SENDER]),
      ]);
      await flooded.clock.advance(20);
    }
    for (let ms = 0; ms < 2000; ms += 10) await flooded.clock.advance(10);
    expect(flooded.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
    await flooded.stop();
  });
});
