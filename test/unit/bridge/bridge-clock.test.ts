import { afterEach, expect, vi } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import type { SimulatedCard } from '../../../card-sim/index.ts';
import { cardTest } from '../../../card-sim/vitest.ts';
import { Bridge, type BridgeOptions } from '../../../host/bridge/index.ts';
import { nobleAead } from '../../../host/stream/packet/packet-aead.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { MemorySink } from '../../support/streams/bridge-run.ts';
import { makePayloads, personalise, TestService } from '../../support/streams/test-service.ts';

const test = cardTest('soft');
const CREDIT = 10_000_000n;

afterEach(() => {
  vi.unstubAllGlobals();
});

/** A bridge whose datagrams the test hands in itself. */
function startBridge(card: SimulatedCard, options: Partial<BridgeOptions>) {
  const sink = new MemorySink();
  const bridge = new Bridge({ open: () => card.channel(), sink, aead: nobleAead, ...options });
  const stopping = new AbortController();
  const end = bridge.run(stopping.signal);
  return { bridge, sink, end, stop: () => (stopping.abort(), end) };
}

const packetsOf = (service: TestService, payloads: Uint8Array[]) =>
  service.seal(payloads).flatMap(({ packets }) => packets.map(({ octets }) => octets));

test('a run goes by its clock alone: after a BYE it ends when the stream has been silent for long enough', async ({
  card,
}) => {
  const clock = new SimulatedClock();
  const service = new TestService({ cards: [await personalise(card, 1, CREDIT)] });
  const { bridge, sink, end } = startBridge(card, { clock });
  let ended = false;
  void end.finally(() => (ended = true));
  await vi.waitFor(() => expect(bridge.status.state).toBe('waiting for keys'));
  bridge.receiveKeys(service.keys());
  const payloads = makePayloads(10);
  bridge.receiveMedia(packetsOf(service, payloads));
  await vi.waitFor(() => expect(bridge.status.packets).toBe(10));
  expect(sink.payload.equals(Buffer.concat(payloads))).toBe(true);
  bridge.receiveRtcp([service.goodbye()]);
  // One group does not tell how often groups come, but how long it is: three times that, three times 500 ms at least.
  await clock.advance(1400);
  expect(ended).toBe(false);
  await clock.advance(300);
  expect(await end).toMatchObject({ code: 'BYE', bill: { balance: CREDIT - (10n * 1316n) / 4n } });
});

test('a card that has gone is tried again more and more seldom, and the run goes on when it is back', async ({
  card,
}) => {
  const clock = new SimulatedClock();
  const service = new TestService({ cards: [await personalise(card, 1, CREDIT)] });
  const attempts: number[] = [];
  const open = (): Promise<CardChannel> => {
    attempts.push(clock.monotonic());
    return card.channel();
  };
  const { bridge, stop } = startBridge(card, { clock, open });
  await vi.waitFor(() => expect(bridge.status.state).toBe('waiting for keys'));
  await card.pull();
  bridge.receiveKeys(service.keys());
  bridge.receiveMedia(packetsOf(service, makePayloads(10)));
  await vi.waitFor(() => expect(bridge.status.state).toBe('waiting for the card'));
  for (let passed = 0; passed < 4000; passed += 25) await clock.advance(25);
  expect(attempts).toEqual([0, 200, 500, 950, 1625, 2625, 3625]);
  await card.insert();
  for (let passed = 0; passed < 1000; passed += 25) await clock.advance(25);
  bridge.receiveKeys(service.keys());
  bridge.receiveMedia(packetsOf(service, makePayloads(10)));
  await vi.waitFor(() => expect(bridge.status.packets).toBe(10));
  expect(await stop()).toMatchObject({ code: 'STOPPED' });
});

test('works without the setImmediate that browsers lack', async ({ card }) => {
  const service = new TestService({ cards: [await personalise(card, 1, CREDIT)] });
  // Each look at the clock takes long, so that the sockets get their turn after each group.
  let time = 0;
  const real = new SimulatedClock();
  const clock = {
    now: () => real.now(),
    monotonic: () => (time += 3),
    sleep: () => new Promise<void>(() => undefined),
  };
  vi.stubGlobal('setImmediate', undefined);
  const { bridge, sink, stop } = startBridge(card, { clock });
  bridge.receiveKeys(service.keys());
  const payloads = makePayloads(50);
  bridge.receiveMedia(packetsOf(service, payloads));
  await vi.waitFor(() => expect(bridge.status.packets).toBe(50));
  expect(sink.payload.equals(Buffer.concat(payloads))).toBe(true);
  expect(await stop()).toMatchObject({ code: 'STOPPED' });
});
