import { BlockList, isIPv4 } from 'node:net';
import { TransportError } from '../../../apdu/errors.ts';
import { systemClock } from '../../clock/clock.ts';
import { type DgramSocket, openDgramSocket } from './dgram-socket.ts';
import type { SendCalls } from './send-calls.ts';
import { openSendmmsgSocket, type SendmmsgSocket } from './sendmmsg-socket.ts';

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
/** ms between two tries when the system has no room. */
const RETRY = 1;
const SEND_BUFFER = 0x400000;

const MULTICAST = new BlockList();
MULTICAST.addSubnet('224.0.0.0', 4, 'ipv4');

/** Whether this is an IPv4 multicast address. */
export function isMulticast(address: string): boolean {
  return isIPv4(address) && MULTICAST.check(address, 'ipv4');
}

/** How datagrams get to the system: many with a call, by Node one at a time. */
export type SendWay = 'sendmmsg' | 'dgram';

/** Sends datagrams to one address. */
export class UdpSender {
  readonly #many: SendmmsgSocket | undefined;
  readonly #one: DgramSocket | undefined;
  /** Copies of what the system had no room for. */
  #waiting: Uint8Array[] = [];
  #queued = 0;

  /**
   * @param calls the calls of the system, for tests; `dgram` does without them.
   * @throws TransportError `UDP_SEND` when the interface does not exist or the address cannot be reached.
   */
  static async open(options: UdpSenderOptions, calls?: SendCalls | 'dgram'): Promise<UdpSender> {
    const { address, port } = options;
    const opening = { ...options, multicast: isMulticast(address), buffer: SEND_BUFFER };
    try {
      const many = calls === 'dgram' ? undefined : await openSendmmsgSocket(opening, calls);
      return new UdpSender(many, many === undefined ? await openDgramSocket(opening) : undefined);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new TransportError(
        'UDP_SEND',
        `cannot send to ${address}:${port} by interface ${options.interface} (${reason}); ` +
          'name an address of this machine with --interface',
        { cause: error },
      );
    }
  }

  private constructor(many: SendmmsgSocket | undefined, one: DgramSocket | undefined) {
    this.#many = many;
    this.#one = one;
  }

  get way(): SendWay {
    return this.#many === undefined ? 'dgram' : 'sendmmsg';
  }

  /**
   * Sends one datagram; it is handed to the system before this returns, or queued when the system is busy.
   * @throws TransportError `UDP_SEND` when this or an earlier datagram could not be sent.
   */
  send(datagram: Uint8Array): void {
    this.sendAll([datagram]);
  }

  /**
   * Sends datagrams in their order, as `send`. Their memory may be used again once `drain(0)` has resolved.
   * @param from place of the first.
   * @param to place after the last.
   * @throws TransportError `UDP_SEND` when one of these or an earlier one could not be sent.
   */
  sendAll(datagrams: readonly Uint8Array[], from = 0, to = datagrams.length): void {
    try {
      if (this.#many !== undefined) this.#sendMany(this.#many, datagrams, from, to);
      else for (let i = from; i < to; i++) this.#one!.send(datagrams[i]!);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TransportError('UDP_SEND', `sending failed (${reason}); check the network and start again`, { cause });
    }
  }

  /** Resolves once at most `max` octets wait for the network. Callers await it now and then between datagrams. */
  async drain(max = MAX_QUEUED): Promise<void> {
    while (this.#sizeQueue() > max) {
      await systemClock.sleep(RETRY);
      this.sendAll([]);
    }
  }

  /** Lets what is queued go out, then closes. */
  async close(): Promise<void> {
    try {
      await this.drain(0);
    } finally {
      this.#many?.close();
      await this.#one?.close();
    }
  }

  #sizeQueue(): number {
    return this.#one?.queued ?? this.#queued;
  }

  #sendMany(socket: SendmmsgSocket, datagrams: readonly Uint8Array[], from: number, to: number): void {
    if (this.#waiting.length > 0) {
      const next = socket.send(this.#waiting, 0, this.#waiting.length);
      this.#waiting = this.#waiting.slice(next);
      this.#queued = this.#waiting.reduce((sum, { length }) => sum + length, 0);
    }
    const next = this.#waiting.length > 0 ? from : socket.send(datagrams, from, to);
    for (let i = next; i < to; i++) {
      this.#waiting.push(datagrams[i]!.slice());
      this.#queued += datagrams[i]!.length;
    }
  }
}
