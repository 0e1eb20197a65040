import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { BlockList, isIPv4 } from 'node:net';
import { TransportError } from '../../../apdu/errors.ts';
import { systemClock } from '../../clock/clock.ts';

export interface UdpSenderOptions {
  /** IPv4, multicast or not. */
  readonly address: string;
  readonly port: number;
  /** IPv4 address of the interface that multicast leaves by. */
  readonly interface: string;
  /** Hops that multicast may make, 0 to 255. */
  readonly ttl: number;
}

/** Octets that may wait in this process for the network before `send` makes its caller wait. */
const MAX_QUEUED = 0x100000;
const SEND_BUFFER = 0x400000;

const MULTICAST = new BlockList();
MULTICAST.addSubnet('224.0.0.0', 4, 'ipv4');

/** Whether this is an IPv4 multicast address. */
export function isMulticast(address: string): boolean {
  return isIPv4(address) && MULTICAST.check(address, 'ipv4');
}

/** Sends datagrams to one address. Its socket is connected, which saves a look-up for every datagram. */
export class UdpSender {
  readonly #socket: Socket;
  #failure: Error | undefined;

  /** @throws TransportError `UDP_SEND` when the interface does not exist or the address cannot be reached. */
  static async open(options: UdpSenderOptions): Promise<UdpSender> {
    const socket = createSocket('udp4');
    try {
      const multicast = isMulticast(options.address);
      socket.bind(0, multicast ? options.interface : '0.0.0.0');
      await once(socket, 'listening');
      if (multicast) {
        socket.setMulticastInterface(options.interface);
        socket.setMulticastTTL(options.ttl);
        socket.setMulticastLoopback(true);
      }
      socket.setSendBufferSize(SEND_BUFFER);
      socket.connect(options.port, options.address);
      await once(socket, 'connect');
      return new UdpSender(socket);
    } catch (error) {
      socket.close();
      const { address, port } = options;
      const reason = error instanceof Error ? error.message : String(error);
      throw new TransportError(
        'UDP_SEND',
        `cannot send to ${address}:${port} by interface ${options.interface} (${reason}); ` +
          'name an address of this machine with --interface',
        { cause: error },
      );
    }
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // Nobody listens at a unicast address yet; as with multicast that nobody has joined, this is not a failure.
      if (error.code !== 'ECONNREFUSED') this.#failure = error;
    });
  }

  /**
   * Sends one datagram; it is handed to the system before this returns, or queued when the system is busy.
   * @throws TransportError `UDP_SEND` when an earlier datagram could not be sent.
   */
  send(datagram: Uint8Array): void {
    if (this.#failure !== undefined) {
      throw new TransportError(
        'UDP_SEND',
        `sending failed (${this.#failure.message}); check the network and start again`,
        {
          cause: this.#failure,
        },
      );
    }
    this.#socket.send(datagram);
  }

  /** Resolves once at most `max` octets wait for the network. Callers await it now and then between datagrams. */
  async drain(max = MAX_QUEUED): Promise<void> {
    while (this.#socket.getSendQueueSize() > max) await systemClock.sleep(1);
  }

  /** Lets what is queued go out, then closes. */
  async close(): Promise<void> {
    await this.drain(0);
    const closed = once(this.#socket, 'close');
    this.#socket.close();
    await closed;
  }
}
