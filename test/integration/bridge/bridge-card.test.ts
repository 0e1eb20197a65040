import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { CARD_HEADER, CARD_TAG } from '../../../apdu/layout/packets.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { parseReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { TransportError } from '../../../apdu/errors.ts';
import { startCard } from '../../../card-sim/index.ts';
import { bridgeTest } from '../../support/bridge-test.ts';
import { makePayloads, personalise, TestService } from '../../support/test-service.ts';
import { makeTransportStream } from '../../support/transport-stream.ts';

const test = bridgeTest('soft');
const CREDIT = 10_000_000n;
const OCTETS = 10 * 1316;

describe('a card that is pulled', () => {
  test('and inserted again goes on, and pays for nothing twice', async ({ card, network, start }) => {
    const cardId = await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [cardId], quantum: 10_000n });
    const run = await start(card);
    const payloads = makePayloads(600);
    const groups = service.seal(payloads);
    for (const [g, group] of groups.entries()) {
      if (g % 10 === 0) network.keys(service.keys());
      if (g % 20 === 15) {
        await card.pull();
        setTimeout(() => void card.insert(), 100);
      }
      await network.groups([group]);
      await sleep(25);
    }
    await run.until(() => run.bridge.status.packets === 600);
    const { bill } = await run.stop();

    expect(run.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
    expect(run.states.filter((state) => state === 'waiting for the card')).toHaveLength(3);
    expect(run.notices).toContain('card 0a1b2c-02-00000001 is back');
    expect(run.bridge.status).toMatchObject({ paid: 60 * OCTETS, received: 60 * OCTETS, groups: 60 });
    // Torn three times: what the records had not seen of those sessions is in their torn part, and is given back at the next load.
    expect(bill!.receipts.map(({ reason }) => reason)).toEqual(['torn', 'torn', 'torn', 'closed']);
    expect(bill!.amount).toBeLessThanOrEqual((60n * BigInt(OCTETS)) / 4n + 4n);
    expect(bill!.receipts.reduce((sum, { groups: opened }) => sum + opened, 0)).toBeLessThanOrEqual(60);
    expect(bill!.balance + bill!.amount + bill!.torn).toBe(CREDIT);
  });

  test('in mid-command, before and after it has paid', async ({ card, network, start }) => {
    const cardId = await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [cardId], quantum: 10_000n });
    const run = await start(card);
    const groups = service.seal(makePayloads(200));
    for (const [g, group] of groups.entries()) {
      network.keys(service.keys());
      if (g === 5 || g === 12) {
        await card.cut(g === 5 ? 'afterLast' : 0);
        setTimeout(() => void card.insert(), 50);
      }
      await network.groups([group]);
      await run.until(() => run.bridge.status.groups === g + 1 || run.bridge.status.drops.late > 0);
    }
    const { bill } = await run.stop();
    expect(run.bridge.status.drops.late).toBe(0);
    expect(bill!.balance + bill!.amount + bill!.torn).toBe(CREDIT);
    expect(bill!.receipts.reduce((sum, { octets }) => sum + octets, 0)).toBeLessThanOrEqual(run.bridge.status.paid);
  });

  test('and replaced by another one: says so, and waits for its own', async ({ card, network, start }) => {
    const cardId = await personalise(card, 1, CREDIT);
    await using other = await startCard({ kind: 'soft' });
    const otherId = await personalise(other, 2, CREDIT);
    const service = new TestService({ cards: [cardId, otherId] });
    let inserted = card;
    const run = await start(card, { open: () => inserted.channel() });
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(10)));
    await run.until(() => run.bridge.status.groups === 1);

    inserted = other;
    await card.pull();
    await network.groups(service.seal(makePayloads(10)));
    await run.until(() => run.notices.length > 0);
    expect(run.notices).toEqual([
      'this is another card, 0a1b2c-02-00000002; insert 0a1b2c-02-00000001 again, or stop and start anew',
    ]);
    await card.insert();
    inserted = card;
    await run.until(() => run.bridge.status.state === 'playing');
    const purse = await new DecodeModule(await reselect(await other.channel())).purse();
    expect(purse.spent).toBe(0n);
  });

  test('while the stream goes on for long: what waits is bounded, and the newest goes on', async ({
    card,
    network,
    start,
  }) => {
    const cardId = await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [cardId] });
    const run = await start(card, { stream: { patience: 300 } });
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(10)));
    await run.until(() => run.bridge.status.groups === 1);
    await card.pull();
    for (let i = 0; i < 12; i++) {
      await network.groups(service.seal(makePayloads(10)));
      await sleep(50);
    }
    await card.insert();
    let sent = 130;
    for (; run.bridge.status.state !== 'playing'; sent += 10) {
      network.keys(service.keys());
      await network.groups(service.seal(makePayloads(10)));
      await sleep(50);
    }
    const { drops, packets } = run.bridge.status;
    expect(drops.noCard).toBeGreaterThan(0);
    expect(packets).toBeGreaterThan(10);
    expect(drops.noCard + drops.noKey + packets).toBeLessThanOrEqual(sent);
  });
});

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

  test('too slow for the groups of its stream: drops the oldest, counts them and says so', async ({
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
    await run.until(() => run.bridge.status.commands === 6);
    await sleep(20);
    const payloads = makePayloads(300);
    await network.groups(service.seal(payloads));
    await run.until(() => run.bridge.status.packets + run.bridge.status.drops.cardSlow === 300);
    expect(run.bridge.status.drops.cardSlow).toBeGreaterThan(100);
    expect(run.sink.payload.subarray(-1316).equals(payloads.at(-1)!)).toBe(true);
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

describe('before paying', () => {
  test('groups that say more than came are not paid and end nothing, whoever sent them', async ({
    card,
    network,
    start,
  }) => {
    const cardId = await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [cardId] });
    const run = await start(card);
    network.keys(service.keys());
    const { ciphers } = service.schedule.at(service.start);
    const cheat = (packet: Uint8Array, group: number) => {
      const octets = packet.slice();
      const sent = octets.subarray(12, 12 + 24 + 64 + 8);
      // One octet more, under a tag that is right: nobody but the sender can make it.
      sent[6]! += 1;
      const part = new Uint8Array(sent.length + 8);
      part.set(sent.subarray(0, 24));
      part.set(octets.subarray(8, 12), 24);
      part.set(Uint8Array.of(0, 0, group >> 8, group), 28);
      part.set(sent.subarray(24), CARD_HEADER.length);
      sent.set(ciphers.mac.mac(part.subarray(0, -CARD_TAG)).subarray(0, CARD_TAG), sent.length - CARD_TAG);
      return octets;
    };
    const honest = service.seal(makePayloads(10));
    await network.groups(honest);
    await run.until(() => run.bridge.status.groups === 1);
    const before = run.bridge.status.commands;
    for (let round = 0; round < 25; round++) {
      for (const { header, packets } of service.seal(makePayloads(10))) {
        const [first, ...rest] = packets.map(({ octets }) => octets);
        // What a sender's own tag covers, and what anybody can change in a copy.
        const changed = cheat(first!, header.group);
        if (round % 2 === 0) changed[12 + 4] = 0xff;
        await network.media([changed, ...rest]);
      }
      await sleep(100);
    }
    await run.until(() => run.bridge.status.drops.overDeclared === 250);
    expect(run.bridge.status.state).toBe('playing');
    expect(run.notices).toEqual([
      'groups that say more than came are not paid; if nothing plays, ask the operator of the stream',
    ]);
    expect(run.bridge.status.paid).toBe(OCTETS);
    // The purse was looked into, but no group was asked about.
    expect(run.bridge.status.commands - before).toBeLessThanOrEqual(4);
    await network.groups(service.seal(makePayloads(10)));
    await run.until(() => run.bridge.status.groups === 2);
    const { code, bill } = await run.stop();
    expect(code).toBe('STOPPED');
    expect(bill!.amount).toBe(BigInt(OCTETS) / 2n);
  });
});

test('the answer of a command that is lost is given again, and charged once', async ({ card, network, start }) => {
  const cardId = await personalise(card, 1, CREDIT);
  const service = new TestService({ cards: [cardId] });
  const asked: number[] = [];
  const run = await start(card, {
    open: async () => {
      const channel = await card.channel();
      return {
        atr: channel.atr,
        transmit: async (command) => {
          const answer = await channel.transmit(command);
          if (command[1] === INS.DECODE && asked.push(command.length) === 3) {
            throw new TransportError('PCSC_FAILED', 'the answer was lost');
          }
          return answer;
        },
        close: () => channel.close(),
      };
    },
  });
  network.keys(service.keys());
  const payloads = makePayloads(60);
  await network.groups(service.seal(payloads));
  await run.until(() => run.bridge.status.groups === 6 || run.bridge.status.drops.late > 0);
  const { bill } = await run.stop();
  expect(run.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
  expect(bill!.balance + bill!.amount + bill!.torn).toBe(CREDIT);
  expect(bill!.amount).toBeLessThanOrEqual((6n * BigInt(OCTETS)) / 4n + 2n);
});

test('a session that another program closed is opened again; the keys are still there', async ({
  card,
  network,
  start,
}) => {
  const cardId = await personalise(card, 1, CREDIT);
  const service = new TestService({ cards: [cardId] });
  const channel = await card.channel();
  const run = await start(card, { open: async () => channel });
  network.keys(service.keys());
  const payloads = makePayloads(40);
  const groups = service.seal(payloads);
  for (const [g, group] of groups.entries()) {
    if (g === 2) await new DecodeModule(channel).select();
    await network.groups([group]);
    await run.until(() => run.bridge.status.groups === g + 1);
  }
  const { bill } = await run.stop();
  expect(run.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
  expect(bill!.receipts.map(({ reason, groups: opened }) => [reason, opened])).toEqual([
    ['closed', 2],
    ['closed', 2],
  ]);
  expect(bill!.balance + bill!.amount).toBe(CREDIT);
});

async function reselect(channel: CardChannel): Promise<CardChannel> {
  await new DecodeModule(channel).select();
  return channel;
}

test('every receipt of the run is on the bill', async ({ card, network, start }) => {
  const cardId = await personalise(card, 1, CREDIT);
  const service = new TestService({ cards: [cardId] });
  const run = await start(card);
  network.keys(service.keys());
  await network.groups(service.seal(makePayloads(10)));
  await run.until(() => run.bridge.status.groups === 1);
  const { bill } = await run.stop();
  const module = new DecodeModule(await reselect(await card.channel()));
  expect(parseReceipt(await module.receipt(1))).toEqual(bill!.receipts[0]);
  await expect(module.receipt(2)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
