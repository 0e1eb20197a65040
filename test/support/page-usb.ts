import type { Page } from 'playwright-core';
import type { MemoryUsbDevice } from './tokens/memory-usb-device.ts';

/** What a page asks of its token, and what it gets, as JSON. */
interface Call {
  readonly method: string;
  readonly args: readonly unknown[];
}

/** `navigator.usb` for a page, whose one device is that of the test; all else is as the WebUSB API says. */
const USB = `(() => {
  const ask = async (method, ...args) => {
    const { error, value } = await globalThis.askToken({ method, args });
    if (error !== undefined) throw new DOMException(error.message, error.name);
    return value;
  };
  class Device {
    constructor(description) {
      Object.assign(this, description, { opened: false });
    }
    async open() {
      await ask('open');
      this.opened = true;
    }
    async close() {
      this.opened = false;
      await ask('close');
    }
    async selectConfiguration(value) {
      this.configuration = await ask('selectConfiguration', value);
    }
    claimInterface(number) {
      return ask('claimInterface', number);
    }
    async transferIn(endpoint, length) {
      const { status, data } = await ask('transferIn', endpoint, length);
      return { status, data: data && new DataView(Uint8Array.from(data).buffer) };
    }
    transferOut(endpoint, data) {
      return ask('transferOut', endpoint, [...data]);
    }
    clearHalt(direction, endpoint) {
      return ask('clearHalt', direction, endpoint);
    }
  }
  let chosen;
  const find = async (name) => {
    const description = await ask(name);
    if (chosen?.plug !== description?.plug) chosen = description && new Device(description);
    return chosen;
  };
  const usb = {
    getDevices: async () => [await find('granted')].filter((device) => device !== undefined),
    requestDevice: async () => {
      if (!navigator.userActivation.isActive) throw new DOMException('no user gesture', 'SecurityError');
      return find('chosen');
    },
  };
  Object.defineProperty(navigator, 'usb', { value: usb });
})()`;

/** The USB port of a page: a token can be plugged in and pulled. */
export class PagePort {
  #device: MemoryUsbDevice | undefined;
  #isGranted = false;
  #plug = 0;

  /** Before the page is opened. */
  static async of(page: Page): Promise<PagePort> {
    const port = new PagePort();
    await page.exposeFunction('askToken', (call: Call) => port.#answer(call));
    await page.addInitScript(USB);
    return port;
  }

  /** How often the page was given the token by the user. */
  choices = 0;

  plug(device: MemoryUsbDevice): void {
    this.#device = device;
    this.#plug++;
  }

  pull(): void {
    this.#device?.pull();
    this.#device = undefined;
  }

  /** What a browser does with the devices of a page that goes. */
  async closePage(): Promise<void> {
    await this.#device?.close();
  }

  async #answer({ method, args }: Call): Promise<object> {
    try {
      return { value: await this.#carryOut(method, args) };
    } catch (error) {
      const { name, message } = error as Error;
      return { error: { name, message } };
    }
  }

  async #carryOut(method: string, args: readonly unknown[]): Promise<unknown> {
    const device = this.#device;
    if (method === 'granted') return this.#isGranted ? this.#describe() : undefined;
    if (method === 'chosen') {
      this.choices++;
      this.#isGranted = device !== undefined;
      return this.#describe() ?? Promise.reject(Object.assign(new Error('none chosen'), { name: 'NotFoundError' }));
    }
    if (device === undefined) throw Object.assign(new Error('The device was disconnected.'), { name: 'NotFoundError' });
    switch (method) {
      case 'selectConfiguration':
        await device.selectConfiguration();
        return device.configuration;
      case 'transferIn': {
        const { status, data } = await device.transferIn(args[0] as number, args[1] as number);
        return { status, data: data && [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)] };
      }
      case 'transferOut':
        return device.transferOut(args[0] as number, Uint8Array.from(args[1] as number[]));
      case 'clearHalt':
        return device.clearHalt(args[0] as 'in' | 'out', args[1] as number);
      case 'claimInterface':
        return device.claimInterface(args[0] as number);
      case 'open':
        return device.open();
      case 'close':
        return device.close();
      default:
        throw new Error(`a token is not asked for ${method}`);
    }
  }

  #describe(): object | undefined {
    const device = this.#device;
    if (device === undefined) return undefined;
    const { vendorId, productId, serialNumber, configuration } = device;
    return { vendorId, productId, serialNumber, configuration, plug: this.#plug };
  }
}
