import { TransportError } from '../../../../apdu/errors.ts';
import { FRAME_LENGTH } from '../../../../apdu/token/frame.ts';
import { type Clock, systemClock } from '../../../clock/clock.ts';
import { TokenChannel } from '../token/token-channel.ts';
import type { TokenLink, TokenLinkListener } from '../token/token-link.ts';
import { adviseUdevRule } from '../token/udev-rule.ts';
import type { TokenUsbConfiguration, TokenUsbDevice, TokenUsbEndpoint, TokenUsbInterface } from './usb-device.ts';

/**
 * Class, subclass and protocol of a token's interface, as `navigator.usb.requestDevice` filters by them;
 * `firmware-notes/tokens.md`.
 */
export const TOKEN_INTERFACE = { classCode: 0xff, subclassCode: 0x54, protocolCode: 0x43 } as const;

/** The configuration that is selected where none is. */
const FIRST_CONFIGURATION = 1;
/** Stalls of an endpoint, one right after the other, after which a token is given up. */
const MAX_STALLS = 3;

interface TokenEndpoints {
  readonly interfaceNumber: number;
  readonly in: TokenUsbEndpoint;
  readonly out: TokenUsbEndpoint;
}

/**
 * Opens a token by its USB interface and resets its card, in a page (`navigator.usb`) or over a `USBDevice` of elsewhere.
 * @throws TransportError `USB_DENIED`; `CARD_IN_USE` when another program or page has it; `NO_TOKEN` when it was pulled
 *   meanwhile, or is not a token; CardGoneError when it does not answer.
 */
export async function openWebUsbToken(device: TokenUsbDevice, clock: Clock = systemClock): Promise<TokenChannel> {
  const name = `usb:${device.serialNumber ?? ''}`;
  try {
    if (!device.opened) await device.open();
  } catch (cause) {
    throw explainRefusal(device, name, cause);
  }
  try {
    const endpoints = await claimToken(device, name);
    return await TokenChannel.open(new WebUsbLink(device, endpoints, name), clock);
  } catch (error) {
    await device.close().catch(() => undefined);
    throw error;
  }
}

function explainRefusal(device: TokenUsbDevice, name: string, cause: unknown): TransportError {
  if (isNamed(cause, 'SecurityError')) {
    const text =
      `you may not open the token ${name}, as no udev rule gives it to you; ` +
      `type: ${adviseUdevRule(device.vendorId, device.productId)}`;
    return new TransportError('USB_DENIED', text, { cause });
  }
  return new TransportError('NO_TOKEN', `the token ${name} cannot be opened; plug it in again`, { cause });
}

async function claimToken(device: TokenUsbDevice, name: string): Promise<TokenEndpoints> {
  let endpoints: TokenEndpoints | undefined;
  try {
    if (device.configuration === undefined || device.configuration === null) {
      await device.selectConfiguration(FIRST_CONFIGURATION);
    }
    endpoints = findEndpoints(device.configuration);
    if (endpoints !== undefined) await device.claimInterface(endpoints.interfaceNumber);
  } catch (cause) {
    if (isNamed(cause, 'NotFoundError')) {
      throw new TransportError('NO_TOKEN', `the token ${name} is gone; plug it in again`, { cause });
    }
    const text = `the token ${name} is in use by another program or page; end that first`;
    throw new TransportError('CARD_IN_USE', text, { cause });
  }
  if (endpoints === undefined) {
    throw new TransportError('NO_TOKEN', `the device ${name} has no interface of a token; plug in a token`);
  }
  return endpoints;
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

/** Of the interface that is a token's: the first endpoint each way that frames fit in. */
function findEndpoints(configuration: TokenUsbConfiguration | null | undefined): TokenEndpoints | undefined {
  for (const { interfaceNumber, alternate } of configuration?.interfaces ?? []) {
    if (!isTokenInterface(alternate)) continue;
    const fitting = alternate.endpoints.filter(
      ({ type, packetSize }) => (type === 'bulk' || type === 'interrupt') && packetSize >= FRAME_LENGTH,
    );
    const into = fitting.find(({ direction }) => direction === 'in');
    const out = fitting.find(({ direction }) => direction === 'out');
    if (into !== undefined && out !== undefined) return { interfaceNumber, in: into, out };
  }
  return undefined;
}

/** Whether an interface is that of a token, by what its descriptor says. */
export function isTokenInterface({ interfaceClass, interfaceSubclass, interfaceProtocol }: TokenUsbInterface): boolean {
  return (
    interfaceClass === TOKEN_INTERFACE.classCode &&
    interfaceSubclass === TOKEN_INTERFACE.subclassCode &&
    interfaceProtocol === TOKEN_INTERFACE.protocolCode
  );
}

/** Frames as packets of two endpoints. */
class WebUsbLink implements TokenLink {
  readonly name: string;
  readonly #device: TokenUsbDevice;
  readonly #endpoints: TokenEndpoints;
  #closing: Promise<void> | undefined;

  constructor(device: TokenUsbDevice, endpoints: TokenEndpoints, name: string) {
    this.#device = device;
    this.#endpoints = endpoints;
    this.name = name;
  }

  listen(listener: TokenLinkListener): void {
    void this.#read(listener);
  }

  async #read({ frame, gone }: TokenLinkListener): Promise<void> {
    const { endpointNumber, packetSize } = this.#endpoints.in;
    try {
      for (let stalls = 0; ;) {
        // One packet at a time: with more, a frame would wait for the next one.
        const { status, data } = await this.#device.transferIn(endpointNumber, packetSize);
        if (status === 'stall') {
          if (++stalls > MAX_STALLS) throw new Error('the endpoint of its answers stalls');
          await this.#device.clearHalt('in', endpointNumber);
          continue;
        }
        stalls = 0;
        if (status === 'ok' && data !== undefined) {
          frame(new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice());
        }
      }
    } catch (cause) {
      if (this.#closing === undefined) gone(cause);
    }
  }

  async send(frame: Uint8Array): Promise<void> {
    const { endpointNumber } = this.#endpoints.out;
    const packet = frame.slice();
    for (let stalls = 0; ;) {
      const { status, bytesWritten } = await this.#device.transferOut(endpointNumber, packet);
      if (status === 'ok' && bytesWritten === packet.length) return;
      // A frame that was stalled has not arrived; one that arrived in part cannot be taken back.
      if (status !== 'stall' || ++stalls > MAX_STALLS) throw new Error(`a frame was not taken (${status})`);
      await this.#device.clearHalt('out', endpointNumber);
    }
  }

  close(): Promise<void> {
    // It ends what is being read and sent. A token that was unplugged has nothing to close.
    this.#closing ??= this.#device.close().catch(() => undefined);
    return this.#closing;
  }
}
