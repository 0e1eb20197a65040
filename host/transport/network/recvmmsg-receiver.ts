import { isIPv4 } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { loadKoffi } from '../koffi-library.ts';
import { RECEIVE_BUFFER, receiveError, type UdpReceiver, type UdpReceiverOptions } from './receive-port.ts';
import { isMulticast } from './udp-sender.ts';

// Linux on x86-64 and arm64 (asm-generic): socket.h, in.h, and the layout of struct mmsghdr with pointers of 8 octets.
const AF_INET = 2;
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const IPPROTO_IP = 0;
const IP_ADD_MEMBERSHIP = 35;
const MSG_DONTWAIT = 0x40;
const MMSGHDR = { size: 64, iov: 16, iovlen: 24, length: 56 } as const;
const IOVEC = { size: 16, length: 8 } as const;

/** Datagrams of one call, and of one turn. */
const SLOTS = 256;
/** Octets of one datagram: a little more than the 1,400 that a packet may have, so that what is longer shows. */
const SLOT = 1408;
/** ms between looks at the socket: few wake-ups where the buffer holds what comes meanwhile. */
const LONG_PAUSE = 10;
const SHORT_PAUSE = 1;
/** Buffer from which on the long pause is safe: 4 MiB of Linux's accounting, a third of it packets, last for 10 ms of 1 Gbit/s. */
const LARGE_BUFFER = 4 * 1024 * 1024;

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

/** @returns nothing where koffi is not installed, or the system is not one whose structures are known here. */
export async function openRecvmmsg(options: UdpReceiverOptions): Promise<UdpReceiver | undefined> {
  const libc = await loadLibc();
  if (libc === undefined || !isIPv4(options.address)) return undefined;
  const fd = libc.socket(AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) return undefined;
  try {
    const port = bindSocket(libc, fd, options);
    const buffer = growBuffer(libc, fd);
    const stop = receiveLoop(libc, fd, buffer >= LARGE_BUFFER ? LONG_PAUSE : SHORT_PAUSE, options.onDatagrams);
    return {
      port,
      buffer,
      way: 'recvmmsg',
      close: async () => {
        if (stop()) libc.close(fd);
      },
    };
  } catch (error) {
    libc.close(fd);
    throw error;
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

function bindSocket(libc: Libc, fd: number, options: UdpReceiverOptions): number {
  const check = (result: number) => {
    if (result < 0) throw receiveError(options, libc.errorName());
  };
  const group = Uint8Array.from(options.address.split('.'), Number);
  const multicast = isMulticast(options.address);
  if (multicast) check(libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, int32(1), 4));
  // struct sockaddr_in; bound to the group itself, the socket gets nothing that other groups receive on this port.
  const address = new Uint8Array(16);
  new DataView(address.buffer).setUint16(0, AF_INET, true);
  new DataView(address.buffer).setUint16(2, options.port);
  address.set(group, 4);
  check(libc.bind(fd, address, address.length));
  if (multicast) {
    // struct ip_mreq.
    const membership = Uint8Array.of(...group, ...Uint8Array.from(options.interface.split('.'), Number));
    if (membership.length !== 8) throw receiveError(options, 'EINVAL');
    check(libc.setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, membership, membership.length));
  }
  check(libc.getsockname(fd, address, int32(address.length)));
  return new DataView(address.buffer).getUint16(2);
}

/** Asks for more than the administrator's limit first, which a privileged process may. @returns octets granted. */
function growBuffer(libc: Libc, fd: number): number {
  const forced = libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, int32(RECEIVE_BUFFER), 4) === 0;
  if (!forced) libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, int32(RECEIVE_BUFFER), 4);
  const granted = int32(0);
  libc.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, granted, int32(4));
  return new DataView(granted.buffer).getInt32(0, true);
}

function int32(value: number): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setInt32(0, value, true);
  return octets;
}

/** @returns a function that ends it, and tells whether it had not ended before. */
function receiveLoop(
  libc: Libc,
  fd: number,
  pause: number,
  onDatagrams: UdpReceiverOptions['onDatagrams'],
): () => boolean {
  // One piece of memory, which every turn reads: the kernel writes through addresses that the collector does not see, and whatever they
  // point to must not be collected before the loop ends.
  const vectorsFrom = SLOTS * MMSGHDR.size;
  const slotsFrom = vectorsFrom + SLOTS * IOVEC.size;
  const memory = new Uint8Array(slotsFrom + SLOTS * SLOT);
  const view = new DataView(memory.buffer);
  const memoryAt = libc.addressOf(memory);
  for (let i = 0; i < SLOTS; i++) {
    const vector = vectorsFrom + i * IOVEC.size;
    setPointer(view, i * MMSGHDR.size + MMSGHDR.iov, memoryAt + vector);
    view.setUint32(i * MMSGHDR.size + MMSGHDR.iovlen, 1, true);
    setPointer(view, vector, memoryAt + slotsFrom + i * SLOT);
    view.setUint32(vector + IOVEC.length, SLOT, true);
  }

  let timer: NodeJS.Timeout | undefined;
  let immediate: NodeJS.Immediate | undefined;
  let ended = false;
  // Packets are mostly of one length, and a new view costs as much as a system call's share of one.
  const views = Array.from({ length: SLOTS }, (_, i) =>
    memory.subarray(slotsFrom + i * SLOT, slotsFrom + (i + 1) * SLOT),
  );
  const turn = () => {
    const count = Math.max(0, libc.recvmmsg(fd, memory, SLOTS, MSG_DONTWAIT, null));
    for (let i = 0; i < count; i++) {
      const length = view.getUint32(i * MMSGHDR.size + MMSGHDR.length, true);
      const slot = slotsFrom + i * SLOT;
      if (views[i]!.length !== length) views[i] = memory.subarray(slot, slot + length);
    }
    if (count > 0) onDatagrams(views.slice(0, count));
    if (ended) return;
    // Fewer than fit in: all that was there.
    if (count < SLOTS) timer = setTimeout(turn, pause);
    else immediate = setImmediate(turn);
  };
  timer = setTimeout(turn, 0);

  return () => {
    if (ended) return false;
    ended = true;
    clearTimeout(timer);
    clearImmediate(immediate);
    return true;
  };
}

function setPointer(view: DataView, at: number, address: number): void {
  view.setUint32(at, address % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(address / 2 ** 32), true);
}
