import { expect, test } from 'vitest';
import { NodeUsbDevice, type UsbDevice } from '../../../host/transport/card/webusb/node-usb-device.ts';

/** What the package says when a transfer's time is up, or the endpoint stalls: its errors have a text and no code. */
const CANCELLED = new Error('transferIn error: Cancelled');
const STALLED = new Error('transferIn error: Stall');

/** A device of the package, as far as it is used: each transfer comes out as the next of these. */
function createDevice(outcomes: (Error | Uint8Array | Promise<Uint8Array>)[], claim?: Error) {
  const calls: string[] = [];
  const transfer = async (name: string, timeout: number) => {
    calls.push(name);
    expect(timeout).toBeGreaterThan(0);
    const outcome = outcomes.shift() ?? new Error('transferIn error: Disconnected');
    if (outcome instanceof Error) throw outcome;
    const data = await outcome;
    return { status: 'ok', data: new DataView(data.buffer), bytesWritten: data.length };
  };
  const device = {
    bus: '999',
    address: 999,
    opened: true,
    transferIn: (_: number, __: number, timeout: number) => transfer('in', timeout),
    transferOut: (_: number, __: Uint8Array, timeout: number) => transfer('out', timeout),
    claimInterface: async () => {
      calls.push('claim');
      if (claim !== undefined) throw claim;
    },
    releaseInterface: async () => void calls.push('release'),
    open: async () => {
      throw new Error('open error: entity not found');
    },
    close: async () => void calls.push('close'),
  };
  return { device: new NodeUsbDevice(device as unknown as UsbDevice), calls };
}

test('a read whose time is up is begun again', async () => {
  const { device, calls } = createDevice([CANCELLED, CANCELLED, new Uint8Array(64)]);
  expect((await device.transferIn(1, 64)).data?.byteLength).toBe(64);
  expect(calls).toEqual(['in', 'in', 'in']);
});

test('a stall is told as the W3C has it, each way', async () => {
  const { device } = createDevice([STALLED, new Error('transferOut error: Stall')]);
  expect((await device.transferIn(1, 64)).status).toBe('stall');
  expect(await device.transferOut(1, new Uint8Array(64))).toMatchObject({ status: 'stall', bytesWritten: 0 });
});

test('a device that is gone, or takes no frame in time, is an error', async () => {
  const { device } = createDevice([
    new Error('transferIn error: Disconnected'),
    new Error('transferOut error: Cancelled'),
  ]);
  await expect(device.transferIn(1, 64)).rejects.toThrow('Disconnected');
  await expect(device.transferOut(1, new Uint8Array(64))).rejects.toThrow('Cancelled');
});

test('closing waits for the read under way, lets the interface go, and begins no other read', async () => {
  const { promise, reject } = Promise.withResolvers<Uint8Array>();
  const { device, calls } = createDevice([promise]);
  await device.claimInterface(0);
  const reading = device.transferIn(1, 64);
  const closing = device.close();
  await Promise.resolve();
  expect(calls).toEqual(['claim', 'in']);
  reject(CANCELLED);
  await closing;
  await expect(reading).rejects.toMatchObject({ name: 'AbortError' });
  expect(calls).toEqual(['claim', 'in', 'release', 'close']);
});

test.each([
  ['interface is busy (errno 16)', 'Error'],
  ['device disconnected (errno 19)', 'NotFoundError'],
])('a claim that fails with "%s" is told apart', async (text, name) => {
  const { device } = createDevice([], new Error(`claimInterface error: ${text}`));
  await expect(device.claimInterface(0)).rejects.toMatchObject({ name });
});

test('an opening that fails is not called a refusal where nothing is refused', async () => {
  await expect(createDevice([]).device.open()).rejects.toMatchObject({ name: 'Error' });
});
