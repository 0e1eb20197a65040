import type { WebSocket } from 'ws';
import { encodeRelayMessage, MAX_RELAY_MESSAGE, type ServicePort } from '../contract/relay/relay-message.ts';
import type { DatagramHandler } from '../transport/network/datagram-source.ts';
import {
  openServiceReceiver,
  type ServiceAddress,
  type ServiceReceiver,
} from '../transport/network/service-receiver.ts';

/** Octets that may wait for one page: about three seconds at 5 Mbit/s. What comes above that the page misses. */
const MAX_WAITING = 2 * 1024 * 1024;

/** Hands the datagrams of one service to pages as they come. It opens none of them, and keeps none. */
export class Relay {
  readonly #pages = new Set<WebSocket>();
  #receiver: ServiceReceiver | undefined;
  /** Datagrams that pages missed because they took too little. */
  missed = 0;

  /** @throws TransportError `PORT_TAKEN`, `ADDRESS_UNREACHABLE`. */
  static async open(from: ServiceAddress): Promise<Relay> {
    const relay = new Relay();
    const hand = (port: ServicePort): DatagramHandler => relay.#pass.bind(relay, port);
    const handlers = { media: hand('media'), rtcp: hand('rtcp'), keys: hand('keys') };
    relay.#receiver = await openServiceReceiver(from, handlers);
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
    await this.#receiver?.close();
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
