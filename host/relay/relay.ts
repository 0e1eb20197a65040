import type { WebSocket } from 'ws';
import { encodeRelayMessage, MAX_RELAY_MESSAGE, type ServicePort } from '../contract/relay/relay-message.ts';
import type { DatagramHandler } from '../transport/network/datagram-source.ts';
import { openUdpReceiver, type UdpReceiver } from '../transport/network/udp-receiver.ts';

/** Where a service is received. */
export interface RelayedService {
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

/** Octets that may wait for one page: about three seconds at 5 Mbit/s. What comes above that the page misses. */
const MAX_WAITING = 2 * 1024 * 1024;

/** Hands the datagrams of one service to pages as they come. It opens none of them, and keeps none. */
export class Relay {
  readonly #pages = new Set<WebSocket>();
  readonly #receivers: UdpReceiver[] = [];
  /** Datagrams that pages missed because they took too little. */
  missed = 0;

  /** @throws TransportError `PORT_TAKEN`, `ADDRESS_UNREACHABLE`. */
  static async open(service: RelayedService): Promise<Relay> {
    const { address, port, keyPort, interface: local, sources: heard = [] } = service;
    const relay = new Relay();
    const ports: readonly [ServicePort, number, boolean][] = [
      ['keys', keyPort, false],
      ['rtcp', port + 1, false],
      ['media', port, true],
    ];
    try {
      for (const [name, number, coalesce] of ports) {
        const onDatagrams: DatagramHandler = (datagrams, sources) => relay.#pass(name, datagrams, sources);
        relay.#receivers.push(
          await openUdpReceiver({ address, interface: local, sources: heard, port: number, coalesce, onDatagrams }),
        );
      }
    } catch (error) {
      await relay.close();
      throw error;
    }
    return relay;
  }

  /** Pages that get the service. */
  get pages(): number {
    return this.#pages.size;
  }

  /** From now on a page gets the service, until its connection closes. */
  add(page: WebSocket): void {
    this.#pages.add(page);
    page.on('close', () => this.#pages.delete(page));
  }

  async close(): Promise<void> {
    for (const receiver of this.#receivers.splice(0)) await receiver.close();
  }

  #pass(port: ServicePort, datagrams: readonly Uint8Array[], sources: ArrayLike<number>): void {
    if (this.#pages.size === 0) return;
    for (const part of splitTurn(datagrams)) {
      const from = Array.from({ length: part.count }, (_none, i) => sources[part.first + i] ?? 0);
      const message = encodeRelayMessage({
        port,
        datagrams: datagrams.slice(part.first, part.first + part.count),
        sources: from,
      });
      for (const page of this.#pages) {
        if (page.bufferedAmount > MAX_WAITING) this.missed += part.count;
        else page.send(message);
      }
    }
  }
}

/** Octets of a message above which another one begins: the page gets the first before the last has come. */
const MESSAGE = MAX_RELAY_MESSAGE / 64;

/** Parts of a turn for one message each. */
function* splitTurn(datagrams: readonly Uint8Array[]): Generator<{ readonly first: number; readonly count: number }> {
  let first = 0;
  let length = 0;
  for (const [i, datagram] of datagrams.entries()) {
    length += datagram.length;
    if (length < MESSAGE && i < datagrams.length - 1) continue;
    yield { first, count: i + 1 - first };
    first = i + 1;
    length = 0;
  }
}
