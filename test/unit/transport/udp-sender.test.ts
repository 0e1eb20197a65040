import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { loadSendCalls, type SendCalls } from '../../../host/transport/network/send-calls.ts';
import { openSendmmsgSocket } from '../../../host/transport/network/sendmmsg-socket.ts';
import { UdpSender } from '../../../host/transport/network/udp-sender.ts';
import { findFreePort, LOOPBACK } from '../../support/streams/test-service.ts';

const calls = (await loadSendCalls())!;
const cleanUp: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of cleanUp.splice(0)) await end();
});

async function listen() {
  const received: Uint8Array[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (datagram) => received.push(Uint8Array.from(datagram)));
  socket.bind(0, LOOPBACK);
  await once(socket, 'listening');
  cleanUp.push(() => socket.close());
  const got = async (count: number) => {
    while (received.length < count) await once(socket, 'message');
    return received;
  };
  return { port: socket.address().port, got };
}

/** A group as the sealer makes it: the card packet is longer, the last packet shorter, all side by side. */
function makeGroup(): Uint8Array[] {
  const memory = new Uint8Array(100_000);
  const lengths = [1396, ...Array.from({ length: 30 }, () => 1348), 700, ...Array.from({ length: 20 }, () => 1348)];
  let at = 0;
  return lengths.map((length, i) => {
    const datagram = memory.subarray(at, (at += length));
    return datagram.fill(i + 1);
  });
}

/** What a kernel would answer: an error in place of sending, for messages of which `refuses` is true. */
function refuse(code: string, refuses: (call: number) => boolean): { calls: SendCalls; made: () => number } {
  let count = 0;
  let failed = false;
  return {
    made: () => count,
    calls: {
      ...calls,
      sendmmsg(fd, messages, size, flags) {
        failed = size > 0 && refuses(++count);
        return failed ? -1 : calls.sendmmsg(fd, messages, size, flags);
      },
      errorName: () => (failed ? code : calls.errorName()),
    },
  };
}

const open = async (port: number, given?: SendCalls | 'dgram') => {
  const sender = await UdpSender.open({ address: LOOPBACK, port, interface: LOOPBACK, ttl: 0 }, given);
  cleanUp.push(() => sender.close());
  return sender;
};

describe('a sender', () => {
  test.each(['sendmmsg', 'dgram'] as const)('by %s sends every datagram as it is, in order', async (way) => {
    const { port, got } = await listen();
    const sender = await open(port, way === 'dgram' ? 'dgram' : undefined);
    expect(sender.way).toBe(way);
    const group = makeGroup();
    sender.sendAll(group);
    sender.send(Uint8Array.of(9));
    await sender.drain(0);
    expect(await got(group.length + 1)).toEqual([...group, Uint8Array.of(9)]);
  });

  test('sends a part of a group', async () => {
    const { port, got } = await listen();
    const group = makeGroup();
    (await open(port)).sendAll(group, 3, 7);
    expect(await got(4)).toEqual(group.slice(3, 7));
  });

  test.each(['EINVAL', 'EIO', 'EMSGSIZE', 'ENOPROTOOPT', 'EOPNOTSUPP'])(
    'that is refused trains with %s sends one datagram a message from then on',
    async (code) => {
      const { port, got } = await listen();
      const refusing = refuse(code, (call) => call === 1);
      const socket = (await openSendmmsgSocket(
        { address: LOOPBACK, multicast: false, port, interface: LOOPBACK, ttl: 0, buffer: 0x100000 },
        refusing.calls,
      ))!;
      cleanUp.push(() => socket.close());
      const group = makeGroup();
      expect(socket.hasTrains).toBe(true);
      expect(socket.send(group, 0, group.length)).toBe(group.length);
      expect(socket.hasTrains).toBe(false);
      expect(await got(group.length)).toEqual(group);
    },
  );

  test('whose datagrams are refused without trains too says why', async () => {
    const { port } = await listen();
    const sender = await open(port, refuse('EMSGSIZE', () => true).calls);
    expect(() => sender.sendAll(makeGroup())).toThrow('EMSGSIZE');
  });

  test('on a system without sendmmsg goes by dgram', async () => {
    const { port, got } = await listen();
    const old = { ...calls, sendmmsg: () => -1, errorName: () => 'ENOSYS' };
    const sender = await open(port, old);
    expect(sender.way).toBe('dgram');
    sender.sendAll(makeGroup());
    expect(await got(52)).toEqual(makeGroup());
  });

  test('loses nothing to what is told of a receiver that has just come', async () => {
    const port = await findFreePort();
    const sender = await open(port);
    sender.send(Uint8Array.of(1));
    const socket = createSocket('udp4');
    socket.bind(port, LOOPBACK);
    await once(socket, 'listening');
    cleanUp.push(() => socket.close());
    const first = once(socket, 'message');
    sender.sendAll([Uint8Array.of(2), Uint8Array.of(3)]);
    expect((await first)[0]).toEqual(Buffer.of(2));
  });

  test('goes on while nobody listens', async () => {
    const sender = await open(await findFreePort());
    for (let i = 0; i < 20; i++) expect(() => sender.sendAll(makeGroup())).not.toThrow();
    const deaf = await open(await findFreePort(), refuse('ECONNREFUSED', () => true).calls);
    expect(() => deaf.sendAll(makeGroup())).not.toThrow();
    await deaf.drain(0);
  });

  test('keeps what the system has no room for, though its memory is used again', async () => {
    const { port, got } = await listen();
    const sender = await open(port, refuse('EAGAIN', (call) => call >= 2 && call <= 4).calls);
    const group = makeGroup();
    const copy = group.map((datagram) => datagram.slice());
    sender.sendAll(group);
    sender.sendAll(group);
    for (const datagram of group) datagram.fill(0);
    await sender.drain(0);
    expect(await got(104)).toEqual([...copy, ...copy]);
  });

  test('tells a failure of the network', async () => {
    const { port } = await listen();
    const sender = await open(port, refuse('ENETUNREACH', () => true).calls);
    expect(() => sender.send(Uint8Array.of(1))).toThrow('sending failed (sendmmsg ENETUNREACH)');
  });

  test.runIf(process.getuid?.() === 0)('sends over an interface whose MTU is less than a datagram', () => {
    const script = fileURLToPath(new URL('../../support/headend/send-over-small-mtu.ts', import.meta.url));
    const command = `ip link set lo mtu 1200 up && exec '${process.execPath}' '${script}'`;
    expect(execFileSync('unshare', ['-n', 'sh', '-c', command], { encoding: 'utf8' })).toBe('52 of 52, without trains');
  });
});
