import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { loadKoffi } from '../../../host/transport/koffi-library.ts';
import { formatSource } from '../../../host/transport/network/datagram-source.ts';
import { openRecvmmsgSocket } from '../../../host/transport/network/recvmmsg-socket.ts';

const LOOPBACK = '127.0.0.1';
const SOL_UDP = 17;
const UDP_SEGMENT = 103;

/** A sender whose long datagrams the kernel cuts into segments of `octets` each, which is UDP GSO. */
async function openSegmentSender(port: number, octets: number) {
  const libc = (await loadKoffi())!.load(null);
  const fd = libc.func('int socket(int, int, int)')(2, 2, 0) as number;
  const address = new Uint8Array(16);
  address.set([2, 0, port >> 8, port & 255, 127, 0, 0, 1]);
  libc.func('int connect(int, void *, uint32_t)')(fd, address, 16);
  const segment = new Uint8Array(Int32Array.of(octets).buffer);
  const set = libc.func('int setsockopt(int, int, int, void *, uint32_t)')(
    fd,
    SOL_UDP,
    UDP_SEGMENT,
    segment,
    4,
  ) as number;
  const send = libc.func('int64_t send(int, void *, uint64_t, int)');
  return {
    isCut: set === 0,
    send: (train: Uint8Array) => expect(Number(send(fd, train, train.length, 0))).toBe(train.length),
    close: () => void libc.func('int close(int)')(fd),
  };
}

async function receive(joined: boolean) {
  const received: Uint8Array[] = [];
  const sources = new Set<string>();
  const socket = (await openRecvmmsgSocket({
    address: LOOPBACK,
    multicast: false,
    port: 0,
    interface: LOOPBACK,
    buffer: 4 * 1024 * 1024,
    joined,
    onDatagrams(datagrams, from) {
      for (const [i, datagram] of datagrams.entries()) {
        received.push(Uint8Array.from(datagram));
        sources.add(formatSource(from[i]!));
      }
    },
  }))!;
  return { socket, received, sources };
}

test.each([
  ['with trains', true],
  ['where the kernel joins nothing', false],
])('datagrams that a sender joined come out one by one, in order, %s', async (_, joined) => {
  const { socket, received, sources } = await receive(joined);
  // Linux 5.0 and later.
  expect(socket.hasTrains).toBe(joined);
  const sent: Uint8Array[] = [];
  for (const [octets, count, last] of [
    [1332, 48, 1332],
    [1332, 20, 7],
    [100, 60, 100],
    [1400, 1, 1400],
  ] as const) {
    const sender = await openSegmentSender(socket.port, octets);
    expect(sender.isCut).toBe(true);
    for (let round = 0; round < 5; round++) {
      const train = new Uint8Array(octets * (count - 1) + last).map((_octet, i) => (i * 31 + round + octets) & 255);
      for (let at = 0; at < train.length; at += octets) sent.push(train.slice(at, at + octets));
      sender.send(train);
      await sleep(1);
    }
    sender.close();
  }
  for (let tries = 0; received.length < sent.length && tries < 200; tries++) await sleep(10);
  expect(received.length).toBe(sent.length);
  expect(received.findIndex((datagram, i) => Buffer.compare(datagram, sent[i]!) !== 0)).toBe(-1);
  expect(sources.size).toBe(4);
  socket.close();
});
