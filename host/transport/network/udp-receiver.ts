import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { TransportError } from '../../../apdu/errors.ts';
import { type DatagramHandler, filterSources, formatSource, parseSource } from './datagram-source.ts';
import { openRecvmmsgSocket } from './recvmmsg-socket.ts';
import { isMulticast } from './udp-sender.ts';

export interface UdpReceiverOptions {
  /** IPv4: a multicast address to join, or an address of this machine. */
  readonly address: string;
  /** 0 to 65,535; 0 takes a free one. */
  readonly port: number;
  /** IPv4 address of the interface on which to join; the default route is never relied on. */
  readonly interface: string;
  /**
   * IPv4 addresses of those who are heard, at most 8; everybody when left out or empty. The network is asked to bring
   * theirs alone (RFC 4607); where it cannot be asked, all others are let go here.
   */
  readonly sources?: readonly string[];
  /**
   * Whether datagrams may wait for each other, which nearly halves the processor time of a fast stream: 10 ms, and up to
   * 100 ms where few come. With a receive buffer below 4 MiB it is 1 to 20 ms.
   * Where the system cannot do it, they come one by one.
   */
  readonly coalesce: boolean;
  /** Called with the datagrams of one turn. */
  readonly onDatagrams: DatagramHandler;
}

export interface UdpReceiver {
  readonly port: number;
  /** Octets of receive buffer that the system granted of `RECEIVE_BUFFER`. Linux counts its own overhead among them. */
  readonly buffer: number;
  readonly way: 'recvmmsg' | 'dgram';
  /**
   * From now on takes all datagrams of these sources, and of all others a share, by chance; what is left out takes no
   * room in the buffer. Without koffi it takes those of one source alone, and all where there are several.
   * @param sources as `toSource` makes them.
   * @param share 0 to 1; 1 takes everything.
   */
  prefer(sources: readonly number[], share: number): void;
  close(): Promise<void>;
}

/** Octets of receive buffer to ask for: a burst at 500 Mbit/s then survives a garbage collection. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;

/**
 * Starts to receive datagrams.
 * @throws TransportError `PORT_TAKEN` when another program has the port, `ADDRESS_UNREACHABLE` when the multicast
 *   address cannot be joined or the address is not one of this machine.
 */
export async function openUdpReceiver(options: UdpReceiverOptions): Promise<UdpReceiver> {
  const { sources = [] } = options;
  if (sources.length === 0) return openByEitherWay(options);
  if (isMulticast(options.address)) {
    try {
      return await openByEitherWay(options);
    } catch (error) {
      // What a join of any source would say too is said by the one below.
      if (error instanceof TransportError && error.code === 'PORT_TAKEN') throw error;
    }
  }
  const onDatagrams = filterSources(sources, options.onDatagrams);
  return openByEitherWay({ ...options, sources: [], onDatagrams });
}

async function openByEitherWay(options: UdpReceiverOptions): Promise<UdpReceiver> {
  try {
    return (options.coalesce ? await openRecvmmsg(options) : undefined) ?? (await openDgram(options));
  } catch (error) {
    throw receiveError(options, error);
  }
}

async function openRecvmmsg(options: UdpReceiverOptions): Promise<UdpReceiver | undefined> {
  const socket = await openRecvmmsgSocket({
    ...options,
    multicast: isMulticast(options.address),
    buffer: RECEIVE_BUFFER,
  });
  if (socket === undefined) return undefined;
  const { port, buffer } = socket;
  return {
    port,
    buffer,
    way: 'recvmmsg',
    prefer: (sources, share) => socket.prefer(sources, share),
    close: async () => socket.close(),
  };
}

async function openDgram(options: UdpReceiverOptions): Promise<UdpReceiver> {
  const { address, port, interface: local, onDatagrams } = options;
  const multicast = isMulticast(address);
  const socket = createSocket({ type: 'udp4', reuseAddr: multicast });
  try {
    // Bound to the multicast address itself, the socket gets nothing that others receive on this port.
    socket.bind(port, address);
    await once(socket, 'listening');
    const { sources = [] } = options;
    if (multicast && sources.length === 0) socket.addMembership(address, local);
    for (const source of sources) socket.addSourceSpecificMembership(source, address, local);
    socket.setRecvBufferSize(RECEIVE_BUFFER);
  } catch (error) {
    socket.close();
    throw error;
  }
  // After it listens, errors are of single datagrams (ICMP) and end nothing.
  socket.on('error', () => undefined);
  let turn: Uint8Array[] = [];
  let sources: number[] = [];
  // Nearly all datagrams come from one address, and to read it costs more than to compare it.
  let lastAddress = '';
  let lastPort = -1;
  let lastSource = 0;
  socket.on('message', (datagram, from) => {
    if (from.port !== lastPort || from.address !== lastAddress) {
      lastAddress = from.address;
      lastPort = from.port;
      lastSource = parseSource(from.address, from.port);
    }
    sources.push(lastSource);
    if (turn.push(datagram) > 1) return;
    setImmediate(() => {
      const datagrams = turn;
      const whence = sources;
      turn = [];
      sources = [];
      onDatagrams(datagrams, whence);
    });
  });
  return {
    port: socket.address().port,
    buffer: socket.getRecvBufferSize(),
    way: 'dgram',
    prefer: (preferred, share) => preferOne(socket, share < 1 ? preferred : []),
    async close() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}

/**
 * Connects a socket to the one source that is preferred, so that the kernel lets everything else go; to none, or several,
 * it is not connected.
 */
function preferOne(socket: Socket, preferred: readonly number[]): void {
  const [source] = preferred;
  try {
    if (isConnected(socket)) socket.disconnect();
    if (source === undefined || preferred.length > 1) return;
    const [address = '', port = ''] = formatSource(source).split(':');
    // Where the system refuses, an error event says so, and all datagrams come as before.
    socket.connect(Number(port), address);
  } catch {
    // It is being connected, or was closed: it stays as it is until the next time.
  }
}

function isConnected(socket: Socket): boolean {
  try {
    socket.remoteAddress();
    return true;
  } catch {
    return false;
  }
}

/** Makes the error that says what went wrong and what to do. */
function receiveError(options: UdpReceiverOptions, cause: unknown): TransportError {
  const { address, port, interface: local } = options;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  if (code === 'EADDRINUSE') {
    return new TransportError(
      'PORT_TAKEN',
      `UDP port ${port} of ${address} is taken by another program; stop it, or choose another port`,
      { cause },
    );
  }
  if (code === 'EADDRNOTAVAIL' && !isMulticast(address)) {
    const text = `${address} is not an address of this machine; name one of its own, or a multicast address, as in 239.1.2.3`;
    return new TransportError('ADDRESS_UNREACHABLE', text, { cause });
  }
  const what = isMulticast(address) ? `join ${address}:${port} on interface ${local}` : `receive on ${address}:${port}`;
  return new TransportError(
    'ADDRESS_UNREACHABLE',
    `cannot ${what} (${code}); name an address of this machine that reaches the sender with --interface`,
    { cause },
  );
}
