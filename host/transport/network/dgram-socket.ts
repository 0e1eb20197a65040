import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { SendmmsgOptions } from './sendmmsg-socket.ts';

/** A connected UDP socket of Node's. What the system is too busy for waits within Node. */
export interface DgramSocket {
  /** @throws Error that an earlier datagram met with. */
  send(datagram: Uint8Array): void;
  /** Octets that wait. */
  readonly queued: number;
  close(): Promise<void>;
}

/** @throws Error of the system, when the interface does not exist or the address cannot be reached. */
export async function openDgramSocket(options: SendmmsgOptions): Promise<DgramSocket> {
  const socket = createSocket('udp4');
  try {
    socket.bind(0, options.multicast ? options.interface : '0.0.0.0');
    await once(socket, 'listening');
    if (options.multicast) {
      socket.setMulticastInterface(options.interface);
      socket.setMulticastTTL(options.ttl);
      socket.setMulticastLoopback(true);
    }
    socket.setSendBufferSize(options.buffer);
    // A connected socket saves a look-up for every datagram.
    socket.connect(options.port, options.address);
    await once(socket, 'connect');
  } catch (error) {
    socket.close();
    throw error;
  }
  let failure: Error | undefined;
  socket.on('error', (error: NodeJS.ErrnoException) => {
    // Nobody listens at a unicast address yet; as with multicast that nobody has joined, this is not a failure.
    if (error.code !== 'ECONNREFUSED') failure = error;
  });
  return {
    send(datagram) {
      if (failure !== undefined) throw failure;
      // What has to wait is sent from where it lies, and that memory is soon used again.
      socket.send(socket.getSendQueueSize() > 0 ? datagram.slice() : datagram);
    },
    get queued() {
      return socket.getSendQueueSize();
    },
    async close() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}
