import { isIPv4 } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { loadKoffi } from '../koffi-library.ts';
import type { DatagramHandler } from './datagram-source.ts';
import { ReceiveSlots } from './receive-slots.ts';
import { makeSourceFilter, MAX_FILTER_SOURCES } from './socket-filter.ts';
import { choosePauses, nextPause, type PauseBounds } from './turn-pause.ts';

// Linux on x86-64 and arm64 (asm-generic): socket.h, in.h, udp.h.
const AF_INET = 2;
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUF = 8;
const SO_ATTACH_FILTER = 26;
const SO_DETACH_FILTER = 27;
const SO_RCVBUFFORCE = 33;
const IPPROTO_IP = 0;
const IP_ADD_MEMBERSHIP = 35;
const IP_ADD_SOURCE_MEMBERSHIP = 39;
const MSG_DONTWAIT = 0x40;
const SOL_UDP = 17;
const UDP_GRO = 104;

/** Datagrams from which on a turn ends although there are more. */
const MAX_TURN = 64;

export interface RecvmmsgOptions {
  /** IPv4; the socket joins it on `interface` where it is multicast. */
  readonly address: string;
  readonly multicast: boolean;
  /** 0 to 65,535; 0 takes a free one. */
  readonly port: number;
  /** IPv4 address of this machine. */
  readonly interface: string;
  /** IPv4 addresses whose packets the network brings, where it is multicast; those of all when left out or empty. */
  readonly sources?: readonly string[];
  /** Octets of receive buffer to ask for. */
  readonly buffer: number;
  /** Whether datagrams may come joined to trains, where the kernel can do it; it is asked to unless this is false. */
  readonly joined?: boolean;
  readonly onDatagrams: DatagramHandler;
}

/** A UDP socket whose datagrams are read many at a time. */
export interface RecvmmsgSocket {
  readonly port: number;
  /** Octets of receive buffer that the system granted. */
  readonly buffer: number;
  /** Whether the kernel may hand on several datagrams as one. They are told apart again. */
  readonly hasTrains: boolean;
  /** As `UdpReceiver.prefer`. */
  prefer(sources: readonly number[], share: number): void;
  /** Closing twice does nothing. */
  close(): void;
}

interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, length: number): number;
  getsockopt(fd: number, level: number, option: number, value: Uint8Array, length: Uint8Array): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number;
  recvmmsg(fd: number, messages: Uint8Array, count: number, flags: number, timeout: null): number;
  close(fd: number): number;
  addressOf(memory: Uint8Array): number;
  errorName(): string;
}

/**
 * Opens the socket by calls of the C library.
 * @returns nothing where koffi is not installed, or the system is not one whose structures are known here.
 * @throws SystemError with the code of the call that failed: EADDRINUSE, ENODEV.
 */
export async function openRecvmmsgSocket(options: RecvmmsgOptions): Promise<RecvmmsgSocket | undefined> {
  const libc = await loadLibc();
  if (libc === undefined || !isIPv4(options.address)) return undefined;
  const fd = libc.socket(AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) return undefined;
  try {
    const port = bindSocket(libc, fd, options);
    const buffer = growBuffer(libc, fd, options.buffer);
    let isClosed = false;
    // Where the kernel knows it (Linux 5.0), datagrams that a sender or a network card joined come joined.
    const hasTrains = options.joined !== false && libc.setsockopt(fd, SOL_UDP, UDP_GRO, int32(1), 4) === 0;
    const slots = new ReceiveSlots(hasTrains, (memory) => libc.addressOf(memory));
    const stop = startReceiving(libc, fd, slots, choosePauses(buffer), options.onDatagrams);
    return {
      port,
      buffer,
      hasTrains,
      prefer(sources, share) {
        if (!isClosed) filterSources(libc, fd, sources, share);
      },
      close() {
        isClosed = true;
        if (stop()) libc.close(fd);
      },
    };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** A call of the C library that failed. */
class SystemError extends Error {
  /** As Node names it: EADDRINUSE. */
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

async function loadLibc(): Promise<Libc | undefined> {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return undefined;
  const koffi = await loadKoffi();
  if (koffi === undefined) return undefined;
  const self = koffi.load(null);
  return {
    socket: self.func('int socket(int, int, int)'),
    setsockopt: self.func('int setsockopt(int, int, int, void *, uint32_t)'),
    getsockopt: self.func('int getsockopt(int, int, int, void *, void *)'),
    bind: self.func('int bind(int, void *, uint32_t)'),
    getsockname: self.func('int getsockname(int, void *, void *)'),
    recvmmsg: self.func('int recvmmsg(int, void *, unsigned int, int, void *)'),
    close: self.func('int close(int)'),
    addressOf: (memory) => Number(koffi.address(memory)),
    errorName: () => getSystemErrorName(-koffi.errno()),
  };
}

/** @returns the port that it has. */
function bindSocket(libc: Libc, fd: number, options: RecvmmsgOptions): number {
  const check = (result: number) => {
    if (result < 0) throw new SystemError(libc.errorName());
  };
  const { multicast } = options;
  const ip = Uint8Array.from(options.address.split('.'), Number);
  if (multicast) check(libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, int32(1), 4));
  // struct sockaddr_in. Bound to the multicast address itself, the socket gets nothing that others receive on this
  // port.
  const address = new Uint8Array(16);
  new DataView(address.buffer).setUint16(0, AF_INET, true);
  new DataView(address.buffer).setUint16(2, options.port);
  address.set(ip, 4);
  check(libc.bind(fd, address, address.length));
  if (multicast) {
    // struct ip_mreq, and struct ip_mreq_source of Linux, which goes on with the source.
    const membership = [...ip, ...parseAddress(options.interface)];
    const join = (option: number, octets: readonly number[]) =>
      check(libc.setsockopt(fd, IPPROTO_IP, option, Uint8Array.from(octets), octets.length));
    const { sources = [] } = options;
    if (sources.length === 0) join(IP_ADD_MEMBERSHIP, membership);
    for (const source of sources) join(IP_ADD_SOURCE_MEMBERSHIP, [...membership, ...parseAddress(source)]);
  }
  check(libc.getsockname(fd, address, int32(address.length)));
  return new DataView(address.buffer).getUint16(2);
}

/** @throws SystemError EINVAL. */
function parseAddress(address: string): readonly number[] {
  if (!isIPv4(address)) throw new SystemError('EINVAL');
  return address.split('.').map(Number);
}

/** Asks as a privileged process first, which may have more than the administrator's limit. @returns octets granted. */
function growBuffer(libc: Libc, fd: number, octets: number): number {
  const forced = libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, int32(octets), 4) === 0;
  if (!forced) libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, int32(octets), 4);
  const granted = int32(0);
  libc.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, granted, int32(4));
  return new DataView(granted.buffer).getInt32(0, true);
}

/** Where the system refuses a filter, all datagrams come as before. */
function filterSources(libc: Libc, fd: number, sources: readonly number[], share: number): void {
  if (share >= 1 || sources.length > MAX_FILTER_SOURCES) {
    libc.setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, int32(0), 4);
    return;
  }
  const filter = makeSourceFilter(sources, share);
  // struct sock_fprog. The kernel copies the program before the call returns.
  const program = new Uint8Array(16);
  const view = new DataView(program.buffer);
  view.setUint16(0, filter.length / 8, true);
  setPointer(view, 8, libc.addressOf(filter));
  libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, program.length);
  // The collector must not take what is known to the call by its address alone.
  filter.fill(0);
}

function int32(value: number): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setInt32(0, value, true);
  return octets;
}

/** @returns a function that stops it, and tells whether it was running. */
function startReceiving(
  libc: Libc,
  fd: number,
  slots: ReceiveSlots,
  pauses: PauseBounds,
  onDatagrams: RecvmmsgOptions['onDatagrams'],
): () => boolean {
  let timer: NodeJS.Timeout | undefined;
  let immediate: NodeJS.Immediate | undefined;
  let stopped = false;
  let pause = pauses.min;
  const turn = () => {
    let datagrams = 0;
    let isEmpty = false;
    while (!isEmpty && datagrams < MAX_TURN) {
      const filled = Math.max(0, libc.recvmmsg(fd, slots.memory, slots.atOnce, MSG_DONTWAIT, null));
      slots.read(filled);
      datagrams += slots.datagrams.length;
      if (filled > 0) onDatagrams(slots.datagrams, slots.sources, slots);
      slots.reuse();
      if (stopped) return;
      // A call that did not fill all has emptied the socket.
      isEmpty = filled < slots.atOnce;
    }
    pause = nextPause(pause, datagrams, pauses);
    if (isEmpty) timer = setTimeout(turn, pause);
    else immediate = setImmediate(turn);
  };
  timer = setTimeout(turn, 0);

  return () => {
    if (stopped) return false;
    stopped = true;
    clearTimeout(timer);
    clearImmediate(immediate);
    return true;
  };
}

function setPointer(view: DataView, at: number, address: number): void {
  view.setUint32(at, address % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(address / 2 ** 32), true);
}
