import { openUdpReceiver, type UdpReceiver } from '../transport/network/udp-receiver.ts';
import type { Bridge } from './bridge.ts';

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
  readonly sources?: readonly string[];
}

export interface ServiceReceiver {
  readonly media: UdpReceiver;
  close(): Promise<void>;
}

/**
 * Lets a bridge hear a service: its media, its keys and its BYE.
 * @throws TransportError `PORT_TAKEN`, `ADDRESS_UNREACHABLE`.
 */
export async function receiveService(from: ServiceAddress, bridge: Bridge): Promise<ServiceReceiver> {
  const { address, interface: local, sources = [] } = from;
  const ports = [
    { port: from.keyPort, coalesce: false, onDatagrams: bridge.receiveKeys.bind(bridge) },
    { port: from.port + 1, coalesce: false, onDatagrams: bridge.receiveRtcp.bind(bridge) },
    { port: from.port, coalesce: true, onDatagrams: bridge.receiveMedia.bind(bridge) },
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
  const media = open[2]!;
  bridge.onPreference = (preferred) => media.prefer(preferred.sources, preferred.share);
  return { media, close };
}
