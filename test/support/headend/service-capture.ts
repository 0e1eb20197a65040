import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { deriveContentKeysByHand, type HandUnwrapped, splitDatagram, unwrapByHand } from '../cards/keys-by-hand.ts';
import { type ContentKeys, type HandOpened, openByHand } from '../cards/open-by-hand.ts';

const LOOPBACK = '127.0.0.1';
/** A whole test stream may lie in it before the test looks. */
const RECEIVE_BUFFER = 0x2000000;

/** All datagrams that a service sends on loopback, with their times, as plain sockets receive them. */
export class ServiceCapture {
  readonly address: string;
  readonly port: number;
  readonly media: Uint8Array[] = [];
  readonly keys: Uint8Array[] = [];
  readonly control: Uint8Array[] = [];
  /** Datagrams of the media and the key port, as they came. */
  readonly events: { readonly port: 'media' | 'keys'; readonly octets: Uint8Array }[] = [];
  /** ms, of the first datagram on each port. */
  firstKeyAt = Infinity;
  firstMediaAt = Infinity;
  readonly #sockets: readonly Socket[];

  /** Listens at an address of its own, on free ports. @param reuseAddr whether other programs may listen there, too. */
  static async start({ reuseAddr = false } = {}): Promise<ServiceCapture> {
    const address = `239.255.${process.pid & 0xff}.${1 + Math.floor(Math.random() * 250)}`;
    for (;;) {
      const port = 2 * Math.floor(10_000 + Math.random() * 10_000);
      const sockets = [0, 1, 2].map(() => createSocket({ type: 'udp4', reuseAddr }));
      try {
        for (const [i, socket] of sockets.entries()) {
          socket.bind(port + i, address);
          await once(socket, 'listening');
          socket.addMembership(address, LOOPBACK);
          socket.setRecvBufferSize(RECEIVE_BUFFER);
        }
        return new ServiceCapture(address, port, sockets);
      } catch {
        for (const socket of sockets) socket.close();
      }
    }
  }

  private constructor(address: string, port: number, sockets: readonly Socket[]) {
    this.address = address;
    this.port = port;
    this.#sockets = sockets;
    const [media, control, keys] = sockets;
    media!.on('message', (datagram) => {
      this.events.push({ port: 'media', octets: datagram });
      if (this.media.push(datagram) === 1) this.firstMediaAt = performance.now();
    });
    control!.on('message', (datagram) => this.control.push(datagram));
    keys!.on('message', (datagram) => {
      this.events.push({ port: 'keys', octets: datagram });
      if (this.keys.push(datagram) === 1) this.firstKeyAt = performance.now();
    });
  }

  /** Waits until nothing more comes; to be called while the clock of the sender stands still. */
  async settle(): Promise<void> {
    for (let before = -1; before < this.events.length; await sleep(20)) before = this.events.length;
  }

  /** Key messages, each once, in the order of their first coming. */
  get messages(): Buffer[] {
    const seen = new Map(this.keys.flatMap(splitDatagram).map((message) => [message.toString('hex'), message]));
    return [...seen.values()];
  }

  /** The packets of each group, in order; they came over loopback, which keeps it. */
  get groups(): Uint8Array[][] {
    const groups: Uint8Array[][] = [];
    for (const packet of this.media) {
      if ((packet.at(-4)! & 0x80) !== 0) groups.push([]);
      groups.at(-1)!.push(packet);
    }
    return groups;
  }

  /** Opens everything with nothing but a card's downlink key. */
  open(service: number, downlinkKey: Uint8Array): { unwrapped: HandUnwrapped[]; groups: HandOpened[] } {
    const known = new Map<string, Uint8Array>();
    const contents = new Map<number, ContentKeys>();
    const unwrapped: HandUnwrapped[] = [];
    for (const message of this.messages) {
      const parent = `${message[24]} ${message.readUInt32BE(28)}`;
      const opened = unwrapByHand(message, message[24] === 1 ? downlinkKey : known.get(parent)!);
      known.set(`${opened.kind} ${opened.keyId}`, opened.key);
      if (opened.kind === 0x12) contents.set(opened.keyId, deriveContentKeysByHand(service, opened));
      unwrapped.push(opened);
    }
    const groups = this.groups.map((packets) =>
      openByHand(packets, contents.get(Buffer.from(packets[0]!).readUInt32BE(12 + 14))!),
    );
    return { unwrapped, groups };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async close(): Promise<void> {
    await sleep(20);
    for (const socket of this.#sockets) socket.close();
  }
}
