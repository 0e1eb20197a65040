import type { DatagramHandler } from './datagram-source.ts';
import { openUdpReceiver, type UdpReceiver } from './udp-receiver.ts';

/** Where a service is received. */
export interface ServiceAddress {
  /** IPv4, multicast or of this machine. */
  readonly address: string;
  /** Media port; RTCP has the next one (RFC 3550 11). */
  readonly port: number;
  readonly keyPort: number;
  /** IPv4 address of the interface on which to join. */
  readonly interface: string;
  /** IPv4 addresses of those who are heard, at most 8; everybody when left out or empty. */
  readonly sources?: readonly string[] | undefined;
}

/** Who takes what comes to each port. */
export interface ServiceHandlers {
  readonly media: DatagramHandler;
  readonly rtcp: DatagramHandler;
  readonly keys: DatagramHandler;
}

export interface ServiceReceiver {
  readonly media: UdpReceiver;
  close(): Promise<void>;
}

/**
 * Receives a service on its three ports.
 * @throws TransportError `PORT_TAKEN`, `ADDRESS_UNREACHABLE`.
 */
export async function openServiceReceiver(from: ServiceAddress, handlers: ServiceHandlers): Promise<ServiceReceiver> {
  const { address, interface: local, sources = [] } = from;
  // The keys first: media without them opens nothing.
  const ports = [
    { port: from.keyPort, coalesce: false, onDatagrams: handlers.keys },
    { port: from.port + 1, coalesce: false, onDatagrams: handlers.rtcp },
    { port: from.port, coalesce: true, onDatagrams: handlers.media },
  ];
  const open: UdpReceiver[] = [];
  const close = async () => {
    for (const receiver of open.splice(0)) await receiver.close();
  };
  try {
    for (const port of ports) open.push(await openUdpReceiver({ address, interface: local, sources, ...port }));
  } catch (error) {
    await close();
    throw error;
  }
  return { media: open[2]!, close };
}
