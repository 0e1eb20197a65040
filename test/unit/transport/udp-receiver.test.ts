import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { TransportError } from '../../../apdu/errors.ts';
import { filterSources, formatSource, parseSource } from '../../../host/transport/network/datagram-source.ts';
import { openUdpReceiver, type UdpReceiver } from '../../../host/transport/network/udp-receiver.ts';
import { UdpSender } from '../../../host/transport/network/udp-sender.ts';
import { findFreePort } from '../../support/streams/test-service.ts';

const LOOPBACK = '127.0.0.1';
/** Another address of this machine. */
const OTHER = '127.0.0.2';
const open: UdpReceiver[] = [];

afterEach(async () => {
  for (const receiver of open.splice(0)) await receiver.close();
});

async function receive(address: string, coalesce: boolean, port = 0) {
  const received: Uint8Array[] = [];
  const receiver = await openUdpReceiver({
    address,
    port,
    interface: LOOPBACK,
    coalesce,
    onDatagrams: (datagrams) => received.push(...datagrams.map((datagram) => Uint8Array.from(datagram))),
  });
  open.push(receiver);
  return { receiver, received };
}

describe.each([
  ['recvmmsg', true],
  ['dgram', false],
] as const)('a receiver by %s', (way, coalesce) => {
  test.each(['239.255.77.1', LOOPBACK])('receives everything sent to %s, in order', async (address) => {
    const { receiver, received } = await receive(address, coalesce);
    expect(receiver.way).toBe(way);
    expect(receiver.buffer).toBeGreaterThan(0);
    const sender = await UdpSender.open({ address, port: receiver.port, interface: LOOPBACK, ttl: 0 });
    const sent = Array.from({ length: 2000 }, (_, i) => new Uint8Array(1 + ((i * 37) % 1400)).fill(i));
    for (const [i, datagram] of sent.entries()) {
      sender.send(datagram);
      if (i % 50 === 0) await sleep(1);
    }
    await sender.close();
    for (let tries = 0; received.length < sent.length && tries < 200; tries++) await sleep(10);
    expect(received).toEqual(sent);
  });

  test('tells from where each datagram came', async () => {
    const seen: [number, string][] = [];
    const receiver = await openUdpReceiver({
      address: LOOPBACK,
      port: 0,
      interface: LOOPBACK,
      coalesce,
      onDatagrams: (datagrams, sources) =>
        seen.push(...datagrams.map(([first], i): [number, string] => [first!, formatSource(sources[i]!)])),
    });
    open.push(receiver);
    const senders = [createSocket('udp4'), createSocket('udp4')];
    for (const sender of senders) {
      sender.bind(0, LOOPBACK);
      await once(sender, 'listening');
    }
    const sent = Array.from({ length: 40 }, (_, i) => i);
    for (const i of sent) senders[i % 2]!.send(Uint8Array.of(i), receiver.port, LOOPBACK);
    for (let tries = 0; seen.length < sent.length && tries < 200; tries++) await sleep(10);
    expect(seen.toSorted(([a], [b]) => a - b)).toEqual(
      sent.map((i) => [i, `${LOOPBACK}:${senders[i % 2]!.address().port}`]),
    );
    for (const sender of senders) sender.close();
  });

  test('delivers enough of a datagram to see that it is longer than a packet may be', async () => {
    const { receiver, received } = await receive(LOOPBACK, coalesce);
    const sender = await UdpSender.open({ address: LOOPBACK, port: receiver.port, interface: LOOPBACK, ttl: 0 });
    sender.send(new Uint8Array(3000));
    await sender.close();
    while (received.length === 0) await sleep(5);
    expect(received[0]!.length).toBeGreaterThan(1400);
  });

  test('two of them share a multicast address, and neither hears another address on the same port', async () => {
    const first = await receive('239.255.77.2', coalesce);
    const second = await receive('239.255.77.2', coalesce, first.receiver.port);
    const other = await receive('239.255.77.3', coalesce, first.receiver.port);
    const port = first.receiver.port;
    const sender = await UdpSender.open({ address: '239.255.77.2', port, interface: LOOPBACK, ttl: 0 });
    sender.send(Uint8Array.of(1, 2, 3));
    await sender.close();
    while (first.received.length === 0 || second.received.length === 0) await sleep(5);
    await sleep(20);
    expect(other.received).toEqual([]);
  });

  test.each(['239.255.77.5', LOOPBACK])('to %s hears the sources that it names, and nobody else', async (address) => {
    const received: number[] = [];
    const receiver = await openUdpReceiver({
      address,
      port: 0,
      interface: LOOPBACK,
      sources: [OTHER, '127.0.0.3'],
      coalesce,
      onDatagrams: (datagrams) => received.push(...datagrams.map(([first]) => first!)),
    });
    open.push(receiver);
    const from = [LOOPBACK, OTHER, '127.0.0.3', '127.0.0.4'];
    for (let round = 0; round < 3; round++) {
      for (const [i, source] of from.entries()) {
        const sender = createSocket('udp4');
        sender.bind(0, source);
        await once(sender, 'listening');
        if (address !== LOOPBACK) sender.setMulticastInterface(LOOPBACK);
        await new Promise((resolve) => sender.send(Uint8Array.of(i), receiver.port, address, resolve));
        sender.close();
      }
    }
    for (let tries = 0; received.length < 6 && tries < 200; tries++) await sleep(10);
    await sleep(50);
    expect(received).toEqual([1, 2, 1, 2, 1, 2]);
  });

  test('reports a port that is taken in one line', async () => {
    const taken = createSocket('udp4');
    taken.bind(0, LOOPBACK);
    await once(taken, 'listening');
    const { port } = taken.address();
    const opening = receive(LOOPBACK, coalesce, port);
    await expect(opening).rejects.toThrow(TransportError);
    await expect(opening).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: `UDP port ${port} of 127.0.0.1 is taken by another program; stop it, or choose another port`,
    });
    taken.close();
  });

  test('reports an interface that is not of this machine in one line', async () => {
    const opening = openUdpReceiver({
      address: '239.255.77.4',
      port: 0,
      interface: '192.0.2.1',
      coalesce,
      onDatagrams: () => undefined,
    });
    await expect(opening).rejects.toMatchObject({ code: 'ADDRESS_UNREACHABLE' });
    await expect(opening).rejects.toThrow(/^cannot join 239\.255\.77\.4:0 on interface 192\.0\.2\.1 .*--interface$/);
  });
});

test('an address of another machine is not received on', async () => {
  const opening = openUdpReceiver({
    address: '192.0.2.1',
    port: 0,
    interface: LOOPBACK,
    coalesce: false,
    onDatagrams: () => undefined,
  });
  await expect(opening).rejects.toMatchObject({
    code: 'ADDRESS_UNREACHABLE',
    message:
      '192.0.2.1 is not an address of this machine; name one of its own, or a multicast address, as in 239.1.2.3',
  });
});

test('a receiver by recvmmsg takes what it prefers, a share of the rest, and all again when told', async () => {
  const { receiver, received } = await receive(LOOPBACK, true);
  const senders = [createSocket('udp4'), createSocket('udp4')];
  for (const sender of senders) {
    sender.bind(0, LOOPBACK);
    await once(sender, 'listening');
  }
  const count = async (share: number) => {
    received.length = 0;
    receiver.prefer([parseSource(LOOPBACK, senders[0]!.address().port)], share);
    for (let i = 0; i < 300; i++) for (const [who, sender] of senders.entries()) await send(sender, who);
    await sleep(150);
    return [0, 1].map((who) => received.filter(([first]) => first === who).length);
  };
  const send = (sender: Socket, who: number) =>
    new Promise((resolve) => sender.send(Uint8Array.of(who), receiver.port, LOOPBACK, resolve));
  expect(await count(0)).toEqual([300, 0]);
  const [preferred, others] = await count(0.5);
  expect(preferred).toBe(300);
  // Of 300 by chance: one run in a billion is outside.
  expect(others).toBeGreaterThan(95);
  expect(others).toBeLessThan(205);
  expect(await count(1)).toEqual([300, 300]);
  for (const sender of senders) sender.close();
});

test.each(['239.255.77.7', LOOPBACK])(
  'a receiver by dgram at %s takes the one source that it prefers alone, and all again when told',
  async (address) => {
    // The kernel gives up a port that it chose itself when a socket is disconnected.
    const { receiver, received } = await receive(address, false, await findFreePort());
    const senders = [createSocket('udp4'), createSocket('udp4')];
    for (const sender of senders) {
      sender.bind(0, LOOPBACK);
      await once(sender, 'listening');
      if (address !== LOOPBACK) sender.setMulticastInterface(LOOPBACK);
    }
    const sources = senders.map((sender) => parseSource(LOOPBACK, sender.address().port));
    const count = async (preferred: readonly number[], share: number) => {
      receiver.prefer(preferred, share);
      await sleep(30);
      received.length = 0;
      for (let i = 0; i < 20; i++) {
        for (const [who, sender] of senders.entries()) {
          await new Promise((resolve) => sender.send(Uint8Array.of(who), receiver.port, address, resolve));
        }
      }
      await sleep(50);
      return [0, 1].map((who) => received.filter(([first]) => first === who).length);
    };
    expect(await count([sources[0]!], 0.1)).toEqual([20, 0]);
    expect(await count([sources[1]!], 0.1)).toEqual([0, 20]);
    expect(await count([sources[0]!], 1)).toEqual([20, 20]);
    expect(await count(sources, 0.1)).toEqual([20, 20]);
    for (const sender of senders) sender.close();
  },
);

test('of the datagrams of a turn those of the named addresses are kept, whatever their ports', () => {
  const kept: [number, string][] = [];
  const handler = filterSources([OTHER], (datagrams, sources) =>
    kept.push(...datagrams.map(([first], i): [number, string] => [first!, formatSource(sources[i]!)])),
  );
  handler([Uint8Array.of(1), Uint8Array.of(2)], [parseSource(LOOPBACK, 5), parseSource('127.0.0.4', 5)]);
  handler([Uint8Array.of(3), Uint8Array.of(4)], [parseSource(LOOPBACK, 5), parseSource(OTHER, 65_535)]);
  handler([Uint8Array.of(5)], [parseSource(OTHER, 0)]);
  expect(kept).toEqual([
    [4, `${OTHER}:65535`],
    [5, `${OTHER}:0`],
  ]);
});

test('closing twice does nothing', async () => {
  const { receiver } = await receive(LOOPBACK, true);
  await receiver.close();
  await expect(receiver.close()).resolves.toBeUndefined();
});
