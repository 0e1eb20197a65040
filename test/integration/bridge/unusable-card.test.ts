import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { TransportError } from '../../../apdu/errors.ts';
import { startCard } from '../../../card-sim/index.ts';
import { bridgeTest } from '../../support/streams/bridge-test.ts';
import { makePayloads, personalise, TestService } from '../../support/streams/test-service.ts';
import { makeTransportStream } from '../../support/streams/transport-stream.ts';

const test = bridgeTest('soft');
const CREDIT = 10_000_000n;
const OCTETS = 10 * 1316;

describe('a card that cannot be used', () => {
  test('is refused in one line at the start', async ({ card, start }) => {
    const run = await start(card);
    await expect(run.end).rejects.toThrow('this card is blank; type: tollcast issuer personalise');
    await card.pull();
    const without = await start(card);
    await expect(without.end).rejects.toThrow(TransportError);
  });

  test('without a key for the service says so', async ({ card, network, start }) => {
    await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [] });
    const run = await start(card);
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(10)));
    await run.until(() => run.bridge.status.reason !== undefined);
    expect(run.bridge.status.reason).toBe('card 0a1b2c-02-00000001 has no key for service 7; ask its operator for it');
    expect(run.sink.packets).toEqual([]);
  });

  test('of another issuer yields nothing: no octet, no charge, no transport stream on the wire', async ({
    card,
    network,
    start,
  }) => {
    const cardId = await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [cardId], foreign: true, every: 100 });
    const run = await start(card);
    network.keys(service.keys());
    const stream = makeTransportStream(Array.from({ length: 7 * 2000 }, () => ({})));
    const payloads = Array.from({ length: 2000 }, (_, i) => stream.subarray(i * 1316, (i + 1) * 1316));
    const groups = service.seal(payloads);
    await network.groups(groups);
    await run.until(() => run.bridge.status.drops.keyForged > 0 && run.bridge.status.state === 'waiting for keys');
    const { bill } = await run.stop();
    expect(run.sink.packets).toEqual([]);
    expect([run.bridge.status.paid, bill!.amount]).toEqual([0, 0n]);

    // What came over the wire: sync octets at chance, and no two that are a TS packet apart beyond it.
    const gaps = groups.flatMap((group) => group.packets.slice(1).map(({ octets }) => octets.subarray(12, -20)));
    const synced = gaps.map((gap) => [0, 1, 2, 3, 4, 5, 6].filter((i) => gap[188 * i] === 0x47).length);
    const at = synced.reduce((sum, count) => sum + count, 0);
    const chance = (7 * gaps.length) / 256;
    expect(Math.abs(at - chance)).toBeLessThan(6 * Math.sqrt(chance));
    expect(synced.filter((count) => count >= 3).length).toBeLessThan(3);
  });

  test('with a small APDU buffer is not asked about spans that it cannot take, and says so', async ({
    network,
    start,
  }) => {
    await using card = await startCard({ kind: 'soft', apduBuffer: 133 });
    const cardId = await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [cardId], span: 96 });
    const run = await start(card);
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(10)));
    await run.until(() => run.bridge.status.state === 'refused');
    expect(run.bridge.status.reason).toBe(
      'this stream puts 96 octets of each group through the card, and this card takes 80 at most; ask the operator to send with --span 80 or less, or use another card',
    );
    const { bill } = await run.stop();
    expect([run.sink.packets.length, run.bridge.status.paid, bill!.amount]).toEqual([0, 0, 0n]);
  });

  test('with a small APDU buffer plays spans that it takes', async ({ network, start }) => {
    await using card = await startCard({ kind: 'soft', apduBuffer: 133 });
    const cardId = await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [cardId], span: 80 });
    const run = await start(card);
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(10)));
    await run.until(() => run.bridge.status.groups === 1);
    expect(run.bridge.status.paid).toBe(OCTETS);
  });

  test('of a class that the content does not accept says so', async ({ card, network, start }) => {
    const cardId = await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [cardId], classes: { card: true, soft: false } });
    const run = await start(card);
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(10)));
    await run.until(() => run.notices.length > 0);
    expect(run.notices[0]).toMatch(/940A.*does not accept this class of module; use another card$/);
    expect(run.bridge.status.drops.keyRefused).toBe(1);
  });

  test('too slow for the groups of its stream: drops what is farthest ahead, counts it and says so', async ({
    card,
    network,
    start,
  }) => {
    const cardId = await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [cardId], every: 1 });
    const channel = await card.channel();
    const slow: CardChannel = {
      atr: channel.atr,
      transmit: async (command) => {
        await sleep(5);
        return channel.transmit(command);
      },
      close: () => channel.close(),
    };
    const run = await start(card, { open: async () => slow, stream: { maxOctets: 40 * 1400 } });
    network.keys(service.keys());
    await run.until(() => run.bridge.status.commands === 7);
    await sleep(20);
    const payloads = makePayloads(300);
    await network.groups(service.seal(payloads));
    await run.until(() => run.bridge.status.packets + run.bridge.status.drops.cardSlow === 300);
    expect(run.bridge.status.drops.cardSlow).toBeGreaterThan(100);
    // What came first is what comes out first.
    expect(run.sink.payload.subarray(0, 20 * 1316).equals(Buffer.concat(payloads.slice(0, 20)))).toBe(true);
    expect(run.notices).toEqual([
      'n = 1 is too small for this card, it cannot keep up; ask the operator for a larger --every, or take a faster card',
    ]);
  });
});

test.for([
  ['nothing at all', 0],
  ['less than a group key', 15],
])(
  'a card that answers DECODE with %s is at fault: the run goes on without the group, and ends if that does',
  async ([_name, length], { card, network, start }) => {
    const cardId = await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [cardId] });
    let faulty = true;
    const run = await start(card, {
      open: async () => {
        const channel = await card.channel();
        return {
          atr: channel.atr,
          transmit: async (command) => {
            const answer = await channel.transmit(command);
            if (!faulty || command[1] !== INS.DECODE) return answer;
            return Uint8Array.of(...answer.subarray(0, length as number), 0x90, 0);
          },
          close: () => channel.close(),
        };
      },
    });
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(50)));
    await run.until(() => run.bridge.status.drops.refused === 50);
    expect(run.bridge.status).toMatchObject({ paid: 5 * OCTETS, missing: 5 * OCTETS, packets: 0 });
    faulty = false;
    await network.groups(service.seal(makePayloads(10)));
    await run.until(() => run.bridge.status.packets === 10);
    faulty = true;
    while (run.bridge.status.state !== 'ended') {
      await network.groups(service.seal(makePayloads(10)));
      await sleep(200);
    }
    expect(await run.end).toMatchObject({ code: 'CARD_FAULT' });
  },
);
