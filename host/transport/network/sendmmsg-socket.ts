import { isIPv4 } from 'node:net';
import { loadSendCalls, type SendCalls } from './send-calls.ts';
import { SendSlots } from './send-slots.ts';

// Linux (asm-generic): socket.h, in.h.
const AF_INET = 2;
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const IPPROTO_IP = 0;
const IP_MULTICAST_IF = 32;
const IP_MULTICAST_TTL = 33;
const IP_MULTICAST_LOOP = 34;
const MSG_DONTWAIT = 0x40;

/** The system has no room at present. */
const BUSY = new Set(['EAGAIN', 'ENOBUFS', 'ENOMEM', 'EINTR']);
/** What a kernel, an interface or an MTU says that cannot have trains of datagrams; the datagrams themselves may pass. */
const NO_TRAINS = new Set(['EINVAL', 'EIO', 'EMSGSIZE', 'ENOPROTOOPT', 'EOPNOTSUPP']);

export interface SendmmsgOptions {
  /** IPv4, multicast or not. */
  readonly address: string;
  readonly multicast: boolean;
  readonly port: number;
  /** IPv4 address of the interface that multicast leaves by. */
  readonly interface: string;
  /** Hops that multicast may make, 0 to 255. */
  readonly ttl: number;
  /** Octets of send buffer to ask for. */
  readonly buffer: number;
}

/** A connected UDP socket to which many datagrams are given at a time. */
export interface SendmmsgSocket {
  /** Whether the kernel is given trains of datagrams, which it cuts. It is no longer once it has refused one. */
  readonly hasTrains: boolean;
  /**
   * Sends datagrams in their order.
   * @returns the place of the first one that the system has no room for; `to` when it took all.
   * @throws SendError
   */
  send(datagrams: readonly Uint8Array[], from: number, to: number): number;
  close(): void;
}

/** A call of the C library that failed. */
class SendError extends Error {
  override readonly name = 'SendError';
  /** As Node names it: ENETUNREACH. */
  readonly code: string;

  constructor(call: string, code: string) {
    super(`${call} ${code}`);
    this.code = code;
  }
}

/**
 * Opens the socket by calls of the C library.
 * @param calls those of this system when left out.
 * @returns nothing where koffi is not installed, or the system does not know sendmmsg.
 * @throws SendError
 */
export async function openSendmmsgSocket(
  options: SendmmsgOptions,
  calls?: SendCalls,
): Promise<SendmmsgSocket | undefined> {
  const libc = calls ?? (await loadSendCalls());
  if (libc === undefined || !isIPv4(options.address) || !isIPv4(options.interface)) return undefined;
  const fd = libc.socket(AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) return undefined;
  try {
    const slots = new SendSlots((octets) => libc.addressOf(octets));
    // Nothing is sent: a system without the call says so.
    if (libc.sendmmsg(fd, slots.address, 0, MSG_DONTWAIT) < 0) {
      libc.close(fd);
      return undefined;
    }
    connectSocket(libc, fd, options);
    return new ConnectedSocket(libc, fd, slots);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function connectSocket(libc: SendCalls, fd: number, options: SendmmsgOptions): void {
  const check = (call: string, result: number) => {
    if (result < 0) throw new SendError(call, libc.errorName());
  };
  const set = (level: number, option: number, value: Uint8Array) =>
    libc.setsockopt(fd, level, option, value, value.length);
  const near = options.multicast ? options.interface : '0.0.0.0';
  check('bind', libc.bind(fd, socketAddress(near, 0), 16));
  if (options.multicast) {
    check('setsockopt', set(IPPROTO_IP, IP_MULTICAST_IF, parseIp(options.interface)));
    check('setsockopt', set(IPPROTO_IP, IP_MULTICAST_TTL, int32(options.ttl)));
    check('setsockopt', set(IPPROTO_IP, IP_MULTICAST_LOOP, int32(1)));
  }
  set(SOL_SOCKET, SO_SNDBUF, int32(options.buffer));
  check('connect', libc.connect(fd, socketAddress(options.address, options.port), 16));
}

class ConnectedSocket implements SendmmsgSocket {
  hasTrains = true;
  readonly #libc: SendCalls;
  readonly #slots: SendSlots;
  #fd: number;

  constructor(libc: SendCalls, fd: number, slots: SendSlots) {
    this.#libc = libc;
    this.#fd = fd;
    this.#slots = slots;
  }

  send(datagrams: readonly Uint8Array[], from: number, to: number): number {
    if (this.#fd < 0) throw new SendError('sendmmsg', 'EBADF');
    let next = from;
    let refusals = 0;
    while (next < to) {
      const messages = this.#slots.fill(datagrams, next, to, this.hasTrains);
      const sent = this.#libc.sendmmsg(this.#fd, this.#slots.address, messages, MSG_DONTWAIT);
      if (sent > 0) {
        for (let i = 0; i < sent; i++) next += this.#slots.datagrams[i]!;
        refusals = 0;
        continue;
      }
      const code = this.#libc.errorName();
      const first = this.#slots.datagrams[0]!;
      if (BUSY.has(code)) return next;
      if (code === 'ECONNREFUSED') {
        // Nobody listened at a unicast address when an earlier datagram came. Told once, it is over, and nothing of this
        // call was sent. When it is told of each datagram, they are as good as sent.
        if (++refusals > 1) next += first;
      } else if (this.hasTrains && NO_TRAINS.has(code)) {
        this.hasTrains = false;
      } else {
        throw new SendError('sendmmsg', code);
      }
    }
    return next;
  }

  close(): void {
    if (this.#fd >= 0) this.#libc.close(this.#fd);
    this.#fd = -1;
  }
}

function socketAddress(address: string, port: number): Uint8Array {
  const octets = new Uint8Array(16);
  new DataView(octets.buffer).setUint16(0, AF_INET, true);
  new DataView(octets.buffer).setUint16(2, port);
  octets.set(parseIp(address), 4);
  return octets;
}

function parseIp(address: string): Uint8Array {
  return Uint8Array.from(address.split('.'), Number);
}

function int32(value: number): Uint8Array {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setInt32(0, value, true);
  return octets;
}
