import type { Server, Socket } from 'node:net';
import { loadKoffi } from '../koffi-library.ts';

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const IPPROTO_TCP = 6;
const TCP_MAXSEG = 2;

/** Limits what the system takes for peers that do not read. By itself it takes megabytes. */
export interface SendLimits {
  /** Octets of a segment on all connections to come. On one machine they are so long that a small buffer stalls. */
  limitSegments(server: Server, octets: number): void;
  /** Octets that wait in the system, for what it keeps beside them too. */
  limitBuffer(socket: Socket, octets: number): void;
}

/** @returns nothing where koffi is not installed, or the system is not one whose numbers are known here. */
export async function loadSendLimits(): Promise<SendLimits | undefined> {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return undefined;
  const koffi = await loadKoffi();
  if (koffi === undefined) return undefined;
  const setsockopt: (fd: number, level: number, name: number, value: Uint8Array, length: number) => number = koffi
    .load(null)
    .func('int setsockopt(int, int, int, void *, uint32_t)');
  const set = (of: Server | Socket, level: number, name: number, value: number) => {
    const fd = descriptorOf(of);
    const int32 = new Uint8Array(new Int32Array([value]).buffer);
    // A system that does not do it takes more than we would like; that is all.
    if (fd !== undefined) setsockopt(fd, level, name, int32, int32.length);
  };
  return {
    limitSegments: (server, octets) => set(server, IPPROTO_TCP, TCP_MAXSEG, octets),
    // socket(7): the system doubles it.
    limitBuffer: (socket, octets) => set(socket, SOL_SOCKET, SO_SNDBUF, octets / 2),
  };
}

/** Node has no public way to it. */
function descriptorOf(of: Server | Socket): number | undefined {
  const handle: unknown = Reflect.get(of, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  const fd: unknown = Reflect.get(handle, 'fd');
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}
