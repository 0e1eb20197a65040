import { closeSync, openSync } from 'node:fs';
import type { WebUSB } from 'usb';
import type { InTransfer, OutTransfer, TokenUsbDevice } from './usb-device.ts';

/** A device as the package has it, which the package does not export by itself. */
export type UsbDevice = Awaited<ReturnType<WebUSB['getDevices']>>[number];

/** ms after which the reading looks whether it is to end: the package's `close` ends no transfer. */
const READ_MS = 200;
/** ms in which a token takes a frame; as long as `TokenChannel` waits for a sign of life. */
const WRITE_MS = 2_000;

/** What the package takes beyond the W3C's interface: ms, after which a transfer is given up. */
interface TimedDevice {
  transferIn(endpointNumber: number, length: number, timeout: number): Promise<InTransfer>;
  transferOut(endpointNumber: number, data: Uint8Array, timeout: number): Promise<OutTransfer>;
}

/** A device of the package `usb` that behaves as the W3C's interface says where a token needs it. */
export class NodeUsbDevice implements TokenUsbDevice {
  readonly #device: UsbDevice;
  /** What is being transferred; the package lets go of an interface after the last of them. */
  readonly #transfers = new Set<Promise<unknown>>();
  #claimed: number | undefined;
  #isClosed = false;

  constructor(device: UsbDevice) {
    this.#device = device;
  }

  get vendorId(): number {
    return this.#device.vendorId;
  }

  get productId(): number {
    return this.#device.productId;
  }

  get serialNumber(): string | null | undefined {
    return this.#device.serialNumber;
  }

  get opened(): boolean {
    return this.#device.opened;
  }

  get configuration(): USBConfiguration | null | undefined {
    return this.#device.configuration;
  }

  async open(): Promise<void> {
    try {
      await this.#device.open();
      this.#isClosed = false;
    } catch (cause) {
      throw isRefused(this.#device) ? nameError('SecurityError', cause) : cause;
    }
  }

  selectConfiguration(value: number): Promise<void> {
    return this.#device.selectConfiguration(value);
  }

  async claimInterface(interfaceNumber: number): Promise<void> {
    try {
      await this.#device.claimInterface(interfaceNumber);
      this.#claimed = interfaceNumber;
    } catch (cause) {
      throw says(cause, /busy|errno 16\b/i) ? cause : nameError('NotFoundError', cause);
    }
  }

  async transferIn(endpointNumber: number, length: number): Promise<InTransfer> {
    const device: TimedDevice = this.#device;
    for (;;) {
      if (this.#isClosed) throw nameError('AbortError', new Error('the device is closed'));
      try {
        return await this.#follow(device.transferIn(endpointNumber, length, READ_MS));
      } catch (cause) {
        if (says(cause, /Stall/)) return { status: 'stall' };
        // A packet that came meanwhile waits in the token: one packet is taken whole or not at all.
        if (!says(cause, /Cancelled/)) throw cause;
      }
    }
  }

  async transferOut(endpointNumber: number, data: Uint8Array): Promise<OutTransfer> {
    const device: TimedDevice = this.#device;
    try {
      return await this.#follow(device.transferOut(endpointNumber, data, WRITE_MS));
    } catch (cause) {
      if (says(cause, /Stall/)) return { status: 'stall', bytesWritten: 0 };
      throw cause;
    }
  }

  clearHalt(direction: 'in' | 'out', endpointNumber: number): Promise<void> {
    return this.#device.clearHalt(direction, endpointNumber);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#transfers);
    const claimed = this.#claimed;
    this.#claimed = undefined;
    if (claimed !== undefined) await this.#device.releaseInterface(claimed);
    await this.#device.close();
  }

  async #follow<T>(transfer: Promise<T>): Promise<T> {
    this.#transfers.add(transfer);
    try {
      return await transfer;
    } finally {
      this.#transfers.delete(transfer);
    }
  }
}

/** The package's errors have no code of their own, but a text: `transferIn error: Cancelled`. */
function says(error: unknown, what: RegExp): boolean {
  return error instanceof Error && what.test(error.message);
}

function nameError(name: string, cause: unknown): Error {
  const error = new Error(cause instanceof Error ? cause.message : String(cause), { cause });
  error.name = name;
  return error;
}

/** On Linux a device is a file. */
function isRefused({ bus, address }: UsbDevice): boolean {
  const path = `/dev/bus/usb/${bus.padStart(3, '0')}/${String(address).padStart(3, '0')}`;
  try {
    closeSync(openSync(path, 'r+'));
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EACCES';
  }
}
