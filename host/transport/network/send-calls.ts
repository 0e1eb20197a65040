import { getSystemErrorName } from 'node:util';
import { AddressBook, loadKoffi } from '../koffi-library.ts';

/** The calls of the C library that a sender makes. It is a port: tests put the answers of other kernels in. */
export interface SendCalls {
  socket(domain: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, length: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  /** @param messages where they are. @returns how many were sent; -1 when none was. */
  sendmmsg(fd: number, messages: number, count: number, flags: number): number;
  close(fd: number): number;
  /** Valid as long as the caller refers to the octets. */
  addressOf(octets: Uint8Array): number;
  /** Why the last call failed, as Node names it: EAGAIN. */
  errorName(): string;
}

let loaded: Promise<SendCalls | undefined> | undefined;

/** @returns nothing where koffi is not installed, or the system is not one whose structures are known here. */
export function loadSendCalls(): Promise<SendCalls | undefined> {
  loaded ??= bindCalls();
  return loaded;
}

async function bindCalls(): Promise<SendCalls | undefined> {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return undefined;
  const koffi = await loadKoffi();
  if (koffi === undefined) return undefined;
  const self = koffi.load(null);
  const book = new AddressBook((memory) => Number(koffi.address(memory)));
  return {
    socket: self.func('int socket(int, int, int)'),
    setsockopt: self.func('int setsockopt(int, int, int, void *, uint32_t)'),
    bind: self.func('int bind(int, void *, uint32_t)'),
    connect: self.func('int connect(int, void *, uint32_t)'),
    sendmmsg: self.func('int sendmmsg(int, uintptr_t, unsigned int, int)'),
    close: self.func('int close(int)'),
    addressOf: (octets) => book.addressOf(octets),
    errorName: () => getSystemErrorName(-koffi.errno()),
  };
}
