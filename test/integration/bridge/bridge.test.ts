import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { bridgeTest } from '../../support/streams/bridge-test.ts';
import { loadCredit, makePayloads, personalise, START, TestService } from '../../support/streams/test-service.ts';

const test = bridgeTest('soft');
const CREDIT = 10_000_000n;
/** Micro-units for octets at 0.25 a megabyte. */
const toll = (octets: number) => (BigInt(octets) + 3n) / 4n;

describe('a stream', () => {
  test.for([
    { mode: 'sealed', span: 16, every: 100 },
    { mode: 'sealed', span: 64, every: 10 },
    { mode: 'open', span: 208, every: 1 },
    { mode: 'open', span: 64, every: 100 },
  ] as const)(
    'in mode $mode, span $span, every $every: whole, paid to the micro-unit',
    async (shape, { card, network, start }) => {
      const cardId = await personalise(card, 1, CREDIT);
      const service = new TestService({ cards: [cardId], ...shape });
      const run = await start(card);
      network.keys(service.keys());
      await run.until(() => run.bridge.status.commands > 5);
      const payloads = makePayloads(420);
      const sealed = service.seal(payloads);
      await network.groups(sealed);
      await run.until(() => run.bridge.status.packets === 420);
      network.rtcp(service.goodbye());
      const { code, bill } = await run.end;

      const octets = 420 * 1316;
      expect(code).toBe('BYE');
      expect(run.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
      expect(run.sink.packets[0]!.subarray(0, 12)).toEqual(sealed[0]!.packets[0]!.octets.subarray(0, 12));
      expect(run.bridge.status).toMatchObject({
        paid: octets,
        received: octets,
        missing: 0,
        groups: Math.ceil(420 / shape.every),
      });
      expect(bill).toMatchObject({ amount: toll(octets), torn: 0n, balance: CREDIT - toll(octets), currency: 840 });
      expect(bill!.receipts).toMatchObject([
        { octets, groups: Math.ceil(420 / shape.every), reason: 'closed', service: 7 },
      ]);
      expect(Object.values(run.bridge.status.drops).every((count) => count === 0)).toBe(true);
      expect(run.notices).toEqual([]);
    },
  );

  test('of payloads shorter than the span', async ({ card, network, start }) => {
    const service = new TestService({ cards: [await personalise(card, 1, CREDIT)], span: 208, every: 5 });
    const run = await start(card);
    network.keys(service.keys());
    const payloads = [10, 192, 1, 300, 5].map((length) => makePayloads(1, length)[0]!);
    await network.groups(service.seal(payloads));
    await run.until(() => run.bridge.status.packets === 5);
    expect(run.sink.payload).toEqual(Buffer.concat(payloads));
    expect(run.bridge.status).toMatchObject({ paid: 508, received: 508, missing: 0 });
  });

  test('loses what is lost, and no more than its group', async ({ card, network, start }) => {
    const service = new TestService({ cards: [await personalise(card, 1, CREDIT)] });
    const run = await start(card);
    network.keys(service.keys());
    const payloads = makePayloads(50);
    const packets = service.seal(payloads).map((group) => group.packets.map(({ octets }) => octets));
    // Of group 2 a gap packet, of group 4 the card packet, of group 5 so much that it is not worth its price.
    const lost = new Set([packets[1]![3], packets[3]![0], ...packets[4]!.slice(4)]);
    await network.media(packets.flat().filter((packet) => !lost.has(packet)));
    await run.until(() => run.bridge.status.drops.damaged > 0);
    const { bill } = await run.stop();

    const wanted = payloads.filter((_, i) => i !== 13 && i < 30);
    expect(run.sink.payload.equals(Buffer.concat(wanted))).toBe(true);
    const paid = 30 * 1316;
    expect(run.bridge.status).toMatchObject({ paid, received: paid - 1316, missing: 1316, groups: 3, packets: 29 });
    expect(run.bridge.status.drops).toMatchObject({ noCardPacket: 9, damaged: 4 });
    expect(bill!.amount).toBe(toll(paid));
  });

  test('whose keys come after the media is opened from where the buffer reaches back', async ({
    card,
    network,
    start,
  }) => {
    const service = new TestService({ cards: [await personalise(card, 1, CREDIT)] });
    const run = await start(card);
    const payloads = makePayloads(40);
    await network.groups(service.seal(payloads));
    const [grant, segment, content] = service.keys();
    network.keys([content!]);
    await run.until(() => run.bridge.status.commands >= 3);
    network.keys([segment!, grant!]);
    await run.until(() => run.bridge.status.packets === 40);
    expect(run.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
  });

  test('that starts anew, with other keys while the old ones still hold', async ({ card, network, start }) => {
    const cardId = await personalise(card, 1, CREDIT);
    const run = await start(card);
    const played: Uint8Array[] = [];
    for (let life = 0; life < 4; life++) {
      const service = new TestService({ cards: [cardId], start: START + life });
      const payloads = makePayloads(20);
      played.push(...payloads);
      const packets = service.seal(payloads);
      network.keys(service.keys());
      await network.groups(packets);
      await run.until(() => {
        if (run.bridge.status.packets < played.length) network.keys(service.keys());
        return run.bridge.status.packets === played.length;
      });
    }
    expect(run.sink.payload.equals(Buffer.concat(played))).toBe(true);
  });
});

describe('bad input', () => {
  test('is counted, costs nothing and changes nothing', async ({ card, network, start }) => {
    const service = new TestService({ cards: [await personalise(card, 1, CREDIT)], every: 5 });
    const run = await start(card);
    const keys = service.keys();
    const flipped = (octets: Uint8Array, at: number) => octets.map((octet, i) => (i === at ? octet ^ 1 : octet));
    network.keys([
      Uint8Array.of(0x12, 1, 0, 104),
      keys[1]!.subarray(0, 40),
      new Uint8Array(1400),
      ...keys.flatMap((message) => [flipped(message, 40), flipped(message, message.length - 1)]),
      ...keys,
      ...keys,
    ]);
    const payloads = makePayloads(100);
    const groups = service.seal(payloads).map((group) => group.packets.map(({ octets }) => octets));
    const [first, second] = groups as [Uint8Array[], Uint8Array[]];
    const sent = groups.flatMap((packets, g) => [
      // In front of each group a forged card packet, in front of the last packet a forged twin of it.
      // every other one of another content key.
      flipped(packets[0]!, 12 + (g % 2 === 0 ? 24 + (g % 40) : 14 + (g % 4))),
      ...packets.slice(0, 4),
      flipped(packets[4]!, 100 + g),
      packets[4]!,
      ...(g % 3 === 0 ? [packets[2]!, packets[0]!] : []),
    ]);
    const bad = [
      new Uint8Array(0),
      Uint8Array.of(1, 2, 3),
      new Uint8Array(1500),
      first[1]!.subarray(0, 15),
      first[0]!.subarray(0, 30),
      flipped(second[0]!, 8),
    ];
    await network.media([...bad, ...sent]);
    await run.until(() => run.bridge.status.packets === 100);
    await network.media([...first, ...second]);
    await run.until(() => run.bridge.status.drops.late >= 10);
    const { bill } = await run.stop();

    expect(run.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
    expect(run.bridge.status).toMatchObject({ paid: 100 * 1316, received: 100 * 1316, missing: 0 });
    expect(bill!.amount).toBe(toll(100 * 1316));
    const { drops } = run.bridge.status;
    expect(drops.malformed).toBeGreaterThanOrEqual(4);
    expect(drops.forged).toBeGreaterThanOrEqual(40);
    expect(drops.keyMalformed).toBeGreaterThanOrEqual(3);
    expect(drops.keyForged).toBeGreaterThanOrEqual(keys.length);
  });

  test('a packet of which a forged copy came first comes out once, and its group is paid once', async ({
    card,
    network,
    start,
  }) => {
    const service = new TestService({ cards: [await personalise(card, 1, CREDIT)] });
    const run = await start(card);
    network.keys(service.keys());
    await run.until(() => run.bridge.status.commands > 5);
    const payloads = makePayloads(10);
    const packets = service.seal(payloads).flatMap((group) => group.packets.map(({ octets }) => octets));
    const forged = packets[9]!.map((octet, at) => (at === 100 ? octet ^ 1 : octet));
    await network.media([...packets.slice(0, 9), forged]);
    await run.until(() => run.bridge.status.groups === 1);
    expect(run.sink.packets).toEqual([]);
    await network.media([packets[9]!]);
    await run.until(() => run.bridge.status.packets === 10);
    const { bill } = await run.stop();
    expect(run.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
    expect(run.bridge.status).toMatchObject({ groups: 1, paid: 10 * 1316 });
    expect(bill!.amount).toBe(toll(10 * 1316));
  });

  test('forged BYEs do not end a stream that goes on', async ({ card, network, start }) => {
    const service = new TestService({ cards: [await personalise(card, 1, CREDIT)] });
    const run = await start(card);
    network.keys(service.keys());
    for (let i = 0; i < 5; i++) {
      await network.groups(service.seal(makePayloads(10)));
      await run.until(() => run.bridge.status.packets === 10 * (i + 1));
      network.rtcp(service.goodbye());
      // Longer than the silence that shows the end of a faster stream.
      await sleep(500);
    }
    expect(run.bridge.status.state).toBe('playing');
  });
});

describe('the purse', () => {
  test('without credit for the next group: nothing more comes out, and the run ends', async ({
    card,
    network,
    start,
  }) => {
    const octets = 10 * 1316;
    const service = new TestService({ cards: [await personalise(card, 1, toll(3 * octets))], quantum: 1000n });
    const run = await start(card);
    network.keys(service.keys());
    const payloads = makePayloads(100);
    await network.groups(service.seal(payloads));
    const { code, bill } = await run.end;
    expect(code).toBe('NO_CREDIT');
    expect(run.sink.payload.equals(Buffer.concat(payloads.slice(0, 30)))).toBe(true);
    expect(bill).toMatchObject({ amount: toll(3 * octets), balance: 0n });
    expect(run.bridge.status.purse!.balance).toBe(0n);
  });

  test('with --wait-for-credit it goes on once somebody has loaded the card', async ({ card, network, start }) => {
    const cardId = await personalise(card, 1, 0n);
    const service = new TestService({ cards: [cardId] });
    const asked: number[] = [];
    let held = 0;
    const open = async () => {
      const channel = await card.channel();
      held++;
      return {
        atr: channel.atr,
        transmit: (command: Uint8Array) => {
          asked.push(command[1]!);
          return channel.transmit(command);
        },
        close: () => {
          held--;
          return channel.close();
        },
      };
    };
    const run = await start(card, { waitForCredit: true, open });
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(20)));
    await run.until(() => run.bridge.status.state === 'waiting for credit');
    expect(run.sink.packets).toEqual([]);
    // The card is let go for whoever loads it, and asked for no group until somebody has.
    await run.until(() => held === 0);
    asked.length = 0;
    await network.groups(service.seal(makePayloads(20)));
    await run.until(() => asked.length > 0 && held === 0);
    expect(asked).not.toContain(INS.DECODE);

    const channel = await card.channel();
    const module = new DecodeModule(channel);
    await module.select();
    await loadCredit(module, cardId, CREDIT);
    await channel.close();
    await run.until(() => run.bridge.status.state !== 'waiting for credit');
    const payloads = makePayloads(20);
    network.keys(service.keys());
    await network.groups(service.seal(payloads));
    await run.until(() => run.sink.payload.includes(Buffer.concat(payloads)));
    expect((await run.stop()).bill!.amount).toBe(toll(run.bridge.status.paid));
  });

  test('nothing is opened or paid while no player takes the output', async ({ card, network, start }) => {
    const service = new TestService({ cards: [await personalise(card, 1, CREDIT)] });
    const run = await start(card);
    run.sink.isReady = false;
    network.keys(service.keys());
    const payloads = makePayloads(20);
    await network.groups(service.seal(payloads));
    await run.until(() => run.bridge.status.state === 'waiting for a player');
    expect(run.bridge.status.paid).toBe(0);
    run.sink.isReady = true;
    run.sink.onReady!();
    await run.until(() => run.bridge.status.packets === 20);
  });
});
