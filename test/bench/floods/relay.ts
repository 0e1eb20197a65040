import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type MediaPacket, readMediaPacket } from '../../../host/stream/packet/media-packet.ts';
import { openUdpReceiver, type UdpReceiver } from '../../../host/transport/network/udp-receiver.ts';
import { LOOPBACK } from '../../support/streams/test-service.ts';

/** Who sends a forged packet: the relay itself, at the address and port of the genuine ones, or another socket. */
export type Forger = 'same source' | 'another source';

/** What a flood adds to a genuine packet: datagrams that go out before it. */
export type MediaFlood = (packet: MediaPacket) => readonly Uint8Array[];

/** Passes a service on from one multicast address to another, with what a flood adds. */
export class Relay {
  /** While it is set. */
  flood: { readonly from: Forger; readonly add: MediaFlood } | undefined;
  /** The newest genuine packet. */
  newest: Uint8Array | undefined;
  forged = 0;
  readonly #sockets: readonly Socket[];
  readonly #receivers: UdpReceiver[] = [];

  private constructor(sockets: readonly Socket[]) {
    this.#sockets = sockets;
  }

  static async open(from: string, to: string, port: number): Promise<Relay> {
    const sockets = [port, port + 1, port + 2, port].map(() => createSocket('udp4'));
    const relay = new Relay(sockets);
    for (const [i, socket] of sockets.entries()) {
      socket.bind(0, LOOPBACK);
      await once(socket, 'listening');
      socket.setMulticastInterface(LOOPBACK);
      socket.setMulticastLoopback(true);
      const at = i === 3 ? port : port + i;
      socket.connect(at, to);
      await once(socket, 'connect');
      if (i === 3) break;
      relay.#receivers.push(
        await openUdpReceiver({
          address: from,
          port: at,
          interface: LOOPBACK,
          coalesce: false,
          onDatagrams: (datagrams) => {
            for (const datagram of datagrams) {
              if (i === 0) relay.#forge(datagram);
              socket.send(Uint8Array.from(datagram));
            }
          },
        }),
      );
    }
    return relay;
  }

  async close(): Promise<void> {
    for (const receiver of this.#receivers) await receiver.close();
    for (const socket of this.#sockets) socket.close();
  }

  #forge(datagram: Uint8Array): void {
    this.newest = Uint8Array.from(datagram);
    if (this.flood === undefined) return;
    const packet = readMediaPacket(this.newest);
    if (packet === undefined) return;
    const socket = this.#sockets[this.flood.from === 'same source' ? 0 : 3]!;
    for (const forged of this.flood.add(packet)) {
      socket.send(forged);
      this.forged++;
    }
  }
}
