import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WebUSB } from 'usb';
import { TransportError } from '../../../../apdu/errors.ts';
import { chooseToken, type PluggedToken } from '../token/plugged-token.ts';
import type { TokenChannel } from '../token/token-channel.ts';
import { NodeUsbDevice, type UsbDevice } from './node-usb-device.ts';
import type { TokenUsbInterface } from './usb-device.ts';
import { isTokenInterface, openWebUsbToken } from './webusb-token.ts';

/** Where Linux describes USB devices to everybody. */
const SYSFS = '/sys/bus/usb/devices';

/** A token that is plugged in, by its USB interface. */
export interface UsbToken extends PluggedToken {
  readonly device: UsbDevice;
}

/**
 * Lists the tokens with a USB interface that are plugged in; on Linux also those that this user may not open.
 * @throws TransportError `USB_NOT_INSTALLED`.
 */
export async function listUsbTokens(): Promise<UsbToken[]> {
  const usb = await loadUsb();
  let devices: UsbDevice[];
  try {
    devices = await usb.getDevices();
  } catch {
    return []; // a machine without USB
  }
  return devices.filter(isToken).map(describeToken);
}

function describeToken(device: UsbDevice): UsbToken {
  const { serialNumber, productName, vendorId, productId } = device;
  // An empty serial number is as good as none.
  return { serial: serialNumber || portOf(device), product: productName ?? '', vendorId, productId, device };
}

function isToken(device: UsbDevice): boolean {
  // The package asks a device for its descriptors; what is not ours, or not for this user to open, is left alone.
  const described = readInterfaces(portOf(device));
  if (described !== undefined) return described.some(isTokenInterface);
  try {
    return device.configuration?.interfaces.some(({ alternate }) => isTokenInterface(alternate)) ?? false;
  } catch {
    return false; // it is in use, or has no driver that lets us in
  }
}

/** As Linux names it: bus, and the way to the port. */
function portOf({ bus, ports }: UsbDevice): string {
  return `${Number(bus)}-${ports.join('.')}`;
}

function readInterfaces(port: string): TokenUsbInterface[] | undefined {
  try {
    const folders = readdirSync(SYSFS).filter((name) => name.startsWith(`${port}:`));
    return folders.map((folder) => {
      const read = (name: string): number => parseInt(readFileSync(join(SYSFS, folder, name), 'ascii'), 16);
      return {
        interfaceClass: read('bInterfaceClass'),
        interfaceSubclass: read('bInterfaceSubClass'),
        interfaceProtocol: read('bInterfaceProtocol'),
      };
    });
  } catch {
    return undefined; // another system, or it was pulled just now
  }
}

/**
 * Finds the token with a serial number, or the one that is plugged in.
 * @throws TransportError `NO_TOKEN`, `SEVERAL_TOKENS`, `USB_NOT_INSTALLED`.
 */
export async function findUsbToken(serial: string | undefined): Promise<UsbToken> {
  return chooseToken(await listUsbTokens(), 'usb', serial);
}

/** Opens a token and resets its card. @throws what {@link openWebUsbToken} throws. */
export function openUsbToken({ device }: UsbToken): Promise<TokenChannel> {
  return openWebUsbToken(new NodeUsbDevice(device));
}

async function loadUsb(): Promise<WebUSB> {
  try {
    const { usb } = await import('usb');
    return usb;
  } catch (cause) {
    throw new TransportError('USB_NOT_INSTALLED', 'the package usb cannot be loaded; type: npm install', { cause });
  }
}
