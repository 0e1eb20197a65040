import type { CardChannel } from '../../apdu/card-channel.ts';
import { TransportError } from '../../apdu/errors.ts';
import { openWebUsbToken, TOKEN_INTERFACE } from '../transport/card/webusb/webusb-token.ts';

/** The token of a page: one that the user let the page have, also when it is pulled and plugged in again. */
export class UsbCard {
  /** Of the token that was chosen; by it the same one is known again. */
  #serial: string | undefined;

  /**
   * Lets the user choose a token, where the page does not have one yet. A browser asks only while it handles a click.
   * @throws TransportError `NO_TOKEN` when the browser has no WebUSB, or none was chosen.
   */
  async choose(): Promise<void> {
    if (!('usb' in navigator)) {
      throw new TransportError('NO_TOKEN', 'this browser lets no page have a USB token; use Chromium, Chrome or Edge');
    }
    const known = this.#serial === undefined ? (await navigator.usb.getDevices())[0] : await this.#find();
    try {
      const device = known ?? (await navigator.usb.requestDevice({ filters: [TOKEN_INTERFACE] }));
      this.#serial = device.serialNumber ?? '';
    } catch (cause) {
      const text = 'no token was chosen; plug one in, press Play and choose it';
      throw new TransportError('NO_TOKEN', text, { cause });
    }
  }

  /** Opens it and resets its card. @throws TransportError `NO_TOKEN` while it is not plugged in. */
  async openChannel(): Promise<CardChannel> {
    const device = await this.#find();
    if (device === undefined) throw new TransportError('NO_TOKEN', 'the token is not there; plug it in again');
    return openWebUsbToken(device);
  }

  async #find(): Promise<USBDevice | undefined> {
    const devices = await navigator.usb.getDevices();
    return devices.find(({ serialNumber }) => (serialNumber ?? '') === this.#serial);
  }
}
