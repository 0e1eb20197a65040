import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { RECEIVE_BUFFER, receiveError, type UdpReceiver, type UdpReceiverOptions } from './receive-port.ts';
import { openRecvmmsg } from './recvmmsg-receiver.ts';
import { isMulticast } from './udp-sender.ts';

/**
 * Starts to receive datagrams.
 * @throws TransportError `PORT_TAKEN` when another program has the port, `GROUP_UNREACHABLE` when the group cannot be joined or the address
 *   is not one of this machine.
 */
export async function openUdpReceiver(options: UdpReceiverOptions): Promise<UdpReceiver> {
  const fast = options.coalesce ? await openRecvmmsg(options) : undefined;
  return fast ?? openDgram(options);
}

async function openDgram(options: UdpReceiverOptions): Promise<UdpReceiver> {
  const { address, port, interface: local, onDatagrams } = options;
  const multicast = isMulticast(address);
  const socket = createSocket({ type: 'udp4', reuseAddr: multicast });
  try {
    // Bound to the group itself, the socket gets nothing that other groups receive on this port.
    socket.bind(port, address);
    await once(socket, 'listening');
    if (multicast) socket.addMembership(address, local);
    socket.setRecvBufferSize(RECEIVE_BUFFER);
  } catch (error) {
    socket.close();
    throw receiveError(options, error instanceof Error && 'code' in error ? String(error.code) : String(error), error);
  }
  // After it listens, errors are of single datagrams (ICMP) and end nothing.
  socket.on('error', () => undefined);
  let turn: Uint8Array[] = [];
  socket.on('message', (datagram) => {
    if (turn.push(datagram) > 1) return;
    setImmediate(() => {
      const datagrams = turn;
      turn = [];
      onDatagrams(datagrams);
    });
  });
  return {
    port: socket.address().port,
    buffer: socket.getRecvBufferSize(),
    way: 'dgram',
    async close() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}
