import { randomFillSync } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/**
 * A process that floods: `node flooder.ts ADDRESS PORT RATE KIND [HEX]`. It sends RATE datagrams a second to a multicast
 * address on loopback until it is ended. KIND says what changes from one to the next:
 *
 * - `octets`: all of them;
 * - `packet`: sequence number and MKI of the packet HEX;
 * - `rtp`: sequence number, SSRC and MKI of the packet HEX;
 * - `section`: parent id, wrapped key and tag of each entry of the combined section HEX.
 */
const [address = '', port = '', rate = '', kind = '', hex = ''] = process.argv.slice(2);
const LOOPBACK = '127.0.0.1';
const DATAGRAM = 1332;
/** Octets of what stands before the entries of a section, and of an entry. */
const SECTION = { entriesAt: 4 + 28, entry: 28 };

const random = new Uint8Array(1 << 20);
randomFillSync(random);
let randomAt = 0;

function fill(target: Uint8Array, from: number, length: number): void {
  if (randomAt + length > random.length) randomAt = Math.floor(Math.random() * 1024);
  target.set(random.subarray(randomAt, randomAt + length), from);
  randomAt += length;
}

const datagram = hex === '' ? new Uint8Array(DATAGRAM) : Uint8Array.from(Buffer.from(hex, 'hex'));

function change(): void {
  if (kind === 'octets') {
    fill(datagram, 0, datagram.length);
  } else if (kind === 'section') {
    for (let at = SECTION.entriesAt; at + SECTION.entry <= datagram.length; at += SECTION.entry) {
      fill(datagram, at, SECTION.entry);
    }
  } else {
    if (kind === 'rtp') fill(datagram, 8, 4);
    fill(datagram, 2, 2);
    fill(datagram, datagram.length - 4, 4);
  }
}

const socket = createSocket('udp4');
socket.bind(0, LOOPBACK);
await once(socket, 'listening');
socket.setMulticastInterface(LOOPBACK);
socket.setMulticastLoopback(true);
socket.setSendBufferSize(4 << 20);
socket.connect(Number(port), address);
await once(socket, 'connect');
const startedAt = performance.now();
let sent = 0;
setInterval(() => {
  // What was missed while the machine was busy is not made up for beyond a burst.
  const due = Math.min(((performance.now() - startedAt) * Number(rate)) / 1000 - sent, Math.max(1, Number(rate) / 50));
  for (let i = 0; i < due; i++) {
    change();
    socket.send(datagram.slice());
    sent++;
  }
}, 1);
process.on('SIGTERM', () => {
  process.stdout.write(`${Math.round((1000 * sent) / (performance.now() - startedAt))}\n`, () => process.exit(0));
});
