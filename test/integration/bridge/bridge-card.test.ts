import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { parseReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { TransportError } from '../../../apdu/errors.ts';
import { startCard } from '../../../card-sim/index.ts';
import { bridgeTest } from '../../support/streams/bridge-test.ts';
import { makePayloads, personalise, TestService } from '../../support/streams/test-service.ts';

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
    // Torn three times: what the records had not seen of those sessions is in their torn part, and is given back at the
    // next load.
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
      const isCut = g === 5 || g === 12;
      if (isCut) await card.cut(g === 5 ? 'afterLast' : 0);
      await network.groups([group]);
      if (isCut) {
        await run.until(() => run.bridge.status.state === 'waiting for the card');
        await card.insert();
      }
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
    const purse = await new DecodeModule(await reselect(await other.channel())).getPurse();
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
  expect(parseReceipt(await module.getReceipt(1))).toEqual(bill!.receipts[0]);
  await expect(module.getReceipt(2)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
