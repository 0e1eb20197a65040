import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { openSendmmsgSocket } from '../../../host/transport/network/sendmmsg-socket.ts';

/** Sends 52 long datagrams over the loopback of the network that this process was put in, and counts what comes. */
const socket = createSocket('udp4');
socket.bind(0, '127.0.0.1');
await once(socket, 'listening');
const { port } = socket.address();
const sender = (await openSendmmsgSocket({
  address: '127.0.0.1',
  multicast: false,
  port,
  interface: '127.0.0.1',
  ttl: 0,
  buffer: 0x100000,
}))!;
const group = Array.from({ length: 52 }, () => new Uint8Array(1348));
let received = 0;
socket.on('message', (datagram) => (received += datagram.length === 1348 ? 1 : 0));
sender.send(group, 0, group.length);
while (received < group.length) await once(socket, 'message', { signal: AbortSignal.timeout(5000) });
process.stdout.write(`${received} of ${group.length}, ${sender.hasTrains ? 'with' : 'without'} trains`);
sender.close();
socket.close();
