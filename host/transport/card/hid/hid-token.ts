import { closeSync, openSync } from 'node:fs';
import type nodeHid from 'node-hid';
import type { Device, HIDAsync } from 'node-hid';
import { TransportError } from '../../../../apdu/errors.ts';
import { systemClock } from '../../../clock/clock.ts';
import { chooseToken, type PluggedToken } from '../token/plugged-token.ts';
import { TokenChannel } from '../token/token-channel.ts';
import type { TokenLink, TokenLinkListener } from '../token/token-link.ts';
import { adviseUdevRule } from '../token/udev-rule.ts';

/** By which a token is known; `firmware-notes/tokens.md`. */
const USAGE_PAGE = 0xff00;
const USAGE = 0x5443;
/** What hidapi wants in front of a report where reports have no id. */
const NO_REPORT_ID = Uint8Array.of(0x00);

/** A token that is plugged in as a HID device. */
export interface HidToken extends PluggedToken {
  readonly path: string;
}

/**
 * Lists the tokens that are plugged in, also those that this user may not open.
 * @throws TransportError `HID_NOT_INSTALLED`.
 */
export async function listHidTokens(): Promise<HidToken[]> {
  const { devicesAsync } = await loadNodeHid();
  return (await devicesAsync()).flatMap(describeToken);
}

function describeToken({ usagePage, usage, path, serialNumber, product, vendorId, productId }: Device): HidToken[] {
  if (usagePage !== USAGE_PAGE || usage !== USAGE || path === undefined) return [];
  // An empty serial number is as good as none.
  return [{ serial: serialNumber || path, product: product ?? '', path, vendorId, productId }];
}

/**
 * Finds the token with a serial number, or the one that is plugged in.
 * @throws TransportError `NO_TOKEN`, `SEVERAL_TOKENS`, `HID_NOT_INSTALLED`.
 */
export async function findHidToken(serial: string | undefined): Promise<HidToken> {
  return chooseToken(await listHidTokens(), 'hid', serial);
}

/**
 * Opens a token and resets its card.
 * @throws TransportError `HID_DENIED`, `NO_TOKEN` when it was pulled meanwhile; CardGoneError when it does not answer.
 */
export async function openHidToken(token: HidToken): Promise<TokenChannel> {
  const { HIDAsync } = await loadNodeHid();
  let device: HIDAsync;
  try {
    device = await HIDAsync.open(token.path);
  } catch (cause) {
    requireAccess(token);
    throw new TransportError('NO_TOKEN', `the token hid:${token.serial} cannot be opened; plug it in again`, { cause });
  }
  return TokenChannel.open(new HidLink(device, `hid:${token.serial}`), systemClock);
}

/** hidapi does not say why it could not open a device; on Linux its path is a file. */
function requireAccess({ serial, path, vendorId, productId }: HidToken): void {
  try {
    closeSync(openSync(path, 'r+'));
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EACCES')) return;
    throw new TransportError(
      'HID_DENIED',
      `you may not open the token hid:${serial} (${path}), as no udev rule gives it to you; type: ` +
        adviseUdevRule(vendorId, productId),
      { cause },
    );
  }
}

async function loadNodeHid(): Promise<typeof nodeHid> {
  try {
    const { default: loaded } = await import('node-hid');
    loaded.getHidapiVersion(); // the binding is loaded at the first call
    return loaded;
  } catch (cause) {
    throw new TransportError(
      'HID_NOT_INSTALLED',
      'the package node-hid cannot be loaded; type npm install, and on Debian: sudo apt install libusb-1.0-0 libudev1',
      { cause },
    );
  }
}

/** Frames as reports of a HID device. */
class HidLink implements TokenLink {
  readonly name: string;
  readonly #device: HIDAsync;
  #isClosed = false;

  constructor(device: HIDAsync, name: string) {
    this.name = name;
    this.#device = device;
  }

  listen({ frame, gone }: TokenLinkListener): void {
    this.#device.on('error', gone);
    // A listener for data starts the reading.
    this.#device.on('data', (report: Buffer) => frame(Uint8Array.from(report)));
  }

  async send(frame: Uint8Array): Promise<void> {
    await this.#device.write(Buffer.concat([NO_REPORT_ID, frame]));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // A device that was unplugged has nothing to close.
    await this.#device.close().catch(() => undefined);
  }
}
