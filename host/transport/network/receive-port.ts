import { TransportError } from '../../../apdu/errors.ts';
import { isMulticast } from './udp-sender.ts';

export interface UdpReceiverOptions {
  /** IPv4: a multicast group to join, or an address of this machine. */
  readonly address: string;
  /** 0 to 65,535; 0 takes a free one. */
  readonly port: number;
  /** IPv4 address of the interface on which to join; the default route is never relied on. */
  readonly interface: string;
  /**
   * Whether to let datagrams wait up to 10 ms for each other: nearly halves the processor time of a fast stream. Where the system cannot do
   * it, they come one by one.
   */
  readonly coalesce: boolean;
  /** Told of the datagrams of one turn in the order in which they came; valid until it returns. */
  readonly onDatagrams: (datagrams: readonly Uint8Array[]) => void;
}

export interface UdpReceiver {
  readonly port: number;
  /** Octets of receive buffer that the system granted; 4 MiB were asked for. Linux counts its own overhead among them. */
  readonly buffer: number;
  readonly way: 'recvmmsg' | 'dgram';
  close(): Promise<void>;
}

/** Without so much, a burst at 500 Mbit/s is lost while a garbage collection lasts. */
export const RECEIVE_BUFFER = 4 * 1024 * 1024;

/** What went wrong in one line, with what to do. @param code as Node names it: EADDRINUSE. */
export function receiveError(options: UdpReceiverOptions, code: string, cause?: unknown): TransportError {
  const { address, port, interface: local } = options;
  if (code === 'EADDRINUSE') {
    return new TransportError(
      'PORT_TAKEN',
      `UDP port ${port} of ${address} is taken by another program; stop it, or choose another port`,
      { cause },
    );
  }
  const what = isMulticast(address) ? `join ${address}:${port} on interface ${local}` : `receive on ${address}:${port}`;
  return new TransportError(
    'GROUP_UNREACHABLE',
    `cannot ${what} (${code}); name an address of this machine that reaches the sender with --interface`,
    { cause },
  );
}
