import { describe, expect } from 'vitest';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { parseKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { readUint } from '../../../apdu/octets.ts';
import type { SimulatedCard } from '../../../card-sim/index.ts';
import type { BridgeOptions } from '../../../host/bridge/index.ts';
import { bridgeTest } from '../../support/streams/bridge-test.ts';
import { makePayloads, personalise, START, TestService } from '../../support/streams/test-service.ts';

const test = bridgeTest('soft');
const CREDIT = 100_000_000n;
const OCTETS = 10 * 1316;

/** Two services that one card has bought, the second one dearer. */
function twoServices(cardId: Uint8Array): [TestService, TestService] {
  const dear = { kind: 'octets', price: 4_000_000n } as const;
  return [
    new TestService({ cards: [cardId], service: 7 }),
    new TestService({ cards: [cardId], service: 8, start: START + 1, tariff: dear }),
  ];
}

/** Remembers which services the card hears of. */
function overheard(card: SimulatedCard): { open: BridgeOptions['open']; services: number[] } {
  const services: number[] = [];
  const open = async () => {
    const channel = await card.channel();
    return {
      atr: channel.atr,
      transmit: (command: Uint8Array) => {
        if (command[1] === INS.OPEN_SESSION) services.push(readUint(command, 5, 4));
        if (command[1] === INS.LOAD_KEY) services.push(parseKeyMessage(command.subarray(5, -1)).service);
        return channel.transmit(command);
      },
      close: () => channel.close(),
    };
  };
  return { open, services };
}

describe('a run is of one service', () => {
  test('that of the first group opened: genuine groups of another one that was bought cost nothing', async ({
    card,
    network,
    start,
  }) => {
    const [own, other] = twoServices(await personalise(card, 1, CREDIT));
    const { open, services } = overheard(card);
    const run = await start(card, { open });
    network.keys(own.keys());
    const payloads = makePayloads(200);
    const [groups, others] = [own.seal(payloads), other.seal(makePayloads(200))];
    await network.groups(groups.slice(0, 1));
    await run.until(() => run.bridge.status.groups === 1);
    for (let g = 1; g < 20; g++) {
      network.keys([...other.keys(), ...own.keys()]);
      await network.groups([others[g]!, groups[g]!]);
      await run.until(() => run.bridge.status.groups === g + 1);
    }
    await run.until(() => run.bridge.status.drops.otherService === 190);
    const { bill } = await run.stop();

    expect(run.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
    expect(bill!.receipts.map(({ service, octets }) => [service, octets])).toEqual([[7, 20 * OCTETS]]);
    expect(new Set(services)).toEqual(new Set([7]));
    expect(run.notices).toEqual([
      'packets of service 8 come here and are let go: this run is of service 7; to watch the other one start again with --service 8',
    ]);
  });

  test('also where keys of both were on the card before', async ({ card, network, start }) => {
    const [own, other] = twoServices(await personalise(card, 1, CREDIT));
    const run = await start(card);
    network.keys([...own.keys(), ...other.keys()]);
    await run.until(() => run.bridge.status.commands >= 10);
    const [groups, others] = [own.seal(makePayloads(100)), other.seal(makePayloads(100))];
    for (let g = 0; g < 10; g++) {
      await network.groups([groups[g]!]);
      await run.until(() => run.bridge.status.groups === g + 1);
      await network.groups([others[g]!]);
    }
    await run.until(() => run.bridge.status.drops.otherService === 100);
    const { bill } = await run.stop();
    expect(bill!.receipts.map(({ service, octets }) => [service, octets])).toEqual([[7, 10 * OCTETS]]);
  });

  test('the one that was asked for, whatever comes first', async ({ card, network, start }) => {
    const [own, other] = twoServices(await personalise(card, 1, CREDIT));
    const { open, services } = overheard(card);
    const run = await start(card, { open, service: 7 });
    network.keys(other.keys());
    await network.groups(other.seal(makePayloads(20)));
    await run.until(() => run.bridge.status.drops.otherService === 20);
    await run.until(() => run.bridge.status.reason !== undefined);
    expect(run.bridge.status).toMatchObject({
      service: 7,
      groups: 0,
      reason: expect.stringMatching(/^no keys of service 7 for this card have come/) as unknown,
    });
    network.keys(own.keys());
    const payloads = makePayloads(20);
    await network.groups(own.seal(payloads));
    await run.until(() => run.bridge.status.groups === 2);
    await run.stop();
    expect(run.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
    expect(new Set(services)).toEqual(new Set([7]));
  });
});

test('a stream whose key is not there keeps no other one waiting', async ({ card, network, start }) => {
  const cardId = await personalise(card, 1, CREDIT);
  const own = new TestService({ cards: [cardId] });
  const unknown = new TestService({ cards: [], service: 9 });
  // What is never let go would hold it up for good.
  const run = await start(card, { stream: { patience: 60_000 } });
  network.keys(own.keys());
  await run.until(() => run.bridge.status.commands >= 7);
  const [groups, others] = [own.seal(makePayloads(100)), unknown.seal(makePayloads(100))];
  for (let g = 0; g < 10; g++) {
    await network.groups([others[g]!, groups[g]!]);
    await run.until(() => run.bridge.status.groups === g + 1);
  }
  expect(run.bridge.status.packets).toBe(100);
});
