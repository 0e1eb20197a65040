import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { CardGoneError, TransportError } from '../../../apdu/errors.ts';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import { type SimulatedCard, startCard } from '../../../card-sim/index.ts';
import { encodeInterface } from '../../../card-sim/token/usb-descriptors.ts';
import type { TokenUsbDevice } from '../../../host/transport/card/webusb/usb-device.ts';
import { openWebUsbToken } from '../../../host/transport/card/webusb/webusb-token.ts';
import { TOKEN_INTERFACE } from '../../../host/transport/card/webusb/webusb-token.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { MemoryUsbDevice, type MemoryUsbOptions } from '../../support/tokens/memory-usb-device.ts';

/** SELECT of no application, which the card refuses with 6A82. */
const SELECT = fromHex('00a4040000');

let clock: SimulatedClock;
let card: SimulatedCard;

beforeEach(async () => {
  clock = new SimulatedClock();
  card = await startCard({ kind: 'soft' });
});

afterEach(() => card.close());

function plugIn(options: Partial<MemoryUsbOptions> = {}): MemoryUsbDevice {
  return new MemoryUsbDevice({ card, clock, ...options });
}

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'done',
    (error: unknown) => error,
  );
}

test('the devices of the W3C are what a token is opened by', () => {
  expectTypeOf<USBDevice>().toExtend<TokenUsbDevice>();
});

test('the interface, and that of the emulated token, are those of the page', () => {
  const page = readFileSync(new URL('../../../firmware-notes/tokens.md', import.meta.url), 'utf8');
  const fields = ['class', 'subclass', 'protocol'].map((name) => {
    const [, value = ''] = new RegExp(`^\\| interface ${name} \\| ([0-9A-F]{2})`, 'm').exec(page) ?? [];
    return parseInt(value, 16);
  });
  const [, descriptors = ''] = /```\n(09 04[\s\S]*?)```/.exec(page) ?? [];
  const emulated = toHex(encodeInterface({ speed: 'full', endpoints: 'bulk' }));
  expect(emulated).toBe(descriptors.replaceAll(/\s/g, '').toLowerCase());
  expect(fields).toEqual([TOKEN_INTERFACE.classCode, TOKEN_INTERFACE.subclassCode, TOKEN_INTERFACE.protocolCode]);
});

test.each([
  ['bulk', 64],
  ['bulk', 512],
  ['interrupt', 64],
] as const)('a token with %s endpoints of %i octets answers as the card in it does', async (type, packetSize) => {
  const token = plugIn({ type, packetSize });
  const channel = await openWebUsbToken(token, clock);
  expect(toHex(channel.atr)).toBe('3b80800101');
  expect((await new DecodeModule(channel).select()).life).toBe('blank');
  await channel.close();
  await channel.close();
  expect(token.opened).toBe(false);
  await expect(channel.transmit(SELECT)).rejects.toThrow(CardGoneError);
  const again = await openWebUsbToken(token, clock);
  expect(toHex(await again.transmit(SELECT))).toBe('6a82');
});

test('two tokens at once do not hear each other', async () => {
  await using other = await startCard({ kind: 'soft' });
  const [first, second] = [
    await openWebUsbToken(plugIn(), clock),
    await openWebUsbToken(plugIn({ card: other, serial: 'B2' }), clock),
  ];
  const answers = await Promise.all([first, second, first, second].map((channel) => channel.transmit(SELECT)));
  expect(answers.map(toHex)).toEqual(['6a82', '6a82', '6a82', '6a82']);
});

describe('a device that is not to be had', () => {
  test('is refused with what to type where the system denies it', async () => {
    const token = plugIn();
    token.isDenied = true;
    const error = await errorOf(openWebUsbToken(token, clock));
    expect(error).toMatchObject({ code: 'USB_DENIED' });
    const [, rule = ''] = /'(SUBSYSTEM[^']*)'/.exec(String(error)) ?? [];
    const shipped = readFileSync(new URL('../../../scripts/70-tollcast-token.rules', import.meta.url), 'utf8');
    expect(shipped.split('\n')).toContain(rule);
    expect(String(error)).toContain('sudo udevadm control --reload');
  });

  test('is refused as in use where another program has its interface, and let go', async () => {
    const token = plugIn();
    token.isClaimedElsewhere = true;
    expect(await errorOf(openWebUsbToken(token, clock))).toMatchObject({ code: 'CARD_IN_USE' });
    expect(token.opened).toBe(false);
    token.isClaimedElsewhere = false;
    await (await openWebUsbToken(token, clock)).close();
  });

  test('is not a token without its interface', async () => {
    const error = await errorOf(openWebUsbToken(plugIn({ interfaceClass: 3 }), clock));
    expect(error).toMatchObject({ code: 'NO_TOKEN' });
  });

  test('is not a token where frames do not fit in its packets', async () => {
    expect(await errorOf(openWebUsbToken(plugIn({ packetSize: 32 }), clock))).toMatchObject({ code: 'NO_TOKEN' });
  });

  test('that was pulled before is gone', async () => {
    const token = plugIn();
    token.pull();
    expect(await errorOf(openWebUsbToken(token, clock))).toMatchObject({ code: 'NO_TOKEN' });
  });
});

describe('transfers that go wrong', () => {
  test('packets that are not frames are passed over', async () => {
    const token = plugIn({ packetSize: 512 });
    const channel = await openWebUsbToken(token, clock);
    token.onIn = (data) => [
      { status: 'ok', data: new DataView(new ArrayBuffer(0)) },
      { status: 'ok', data: new DataView(data.slice(0, 63).buffer) },
      { status: 'ok', data: new DataView(new Uint8Array([...data, ...data]).buffer) },
      { status: 'babble' },
      { status: 'ok', data: new DataView(data.slice().buffer) },
    ];
    expect(toHex(await channel.transmit(SELECT))).toBe('6a82');
  });

  test('a stall each way is cleared, and the frame comes after it', async () => {
    const token = plugIn();
    const channel = await openWebUsbToken(token, clock);
    let isFirst = true;
    token.onOut = () => {
      if (!isFirst) return 'arrives';
      isFirst = false;
      return { status: 'stall', bytesWritten: 0 };
    };
    token.onIn = (data) => [{ status: 'stall' }, { status: 'ok', data: new DataView(data.slice().buffer) }];
    expect(toHex(await channel.transmit(SELECT))).toBe('6a82');
    expect(token.cleared.toSorted()).toEqual(['in', 'out']);
  });

  test.each([
    ['that always stalls', { status: 'stall', bytesWritten: 0 }],
    ['of which a part was taken', { status: 'ok', bytesWritten: 63 }],
  ] as const)('a frame %s ends the channel', async (_, outcome) => {
    const token = plugIn();
    const channel = await openWebUsbToken(token, clock);
    token.onOut = () => outcome;
    await expect(channel.transmit(SELECT)).rejects.toThrow(/the token usb:A1 is gone; plug it in again/);
    await expect(channel.transmit(SELECT)).rejects.toThrow(CardGoneError);
    expect(token.opened).toBe(false);
  });

  test('answers that always stall end the channel', async () => {
    const token = plugIn();
    const channel = await openWebUsbToken(token, clock);
    token.onIn = () => Array.from({ length: 10 }, () => ({ status: 'stall' }) as const);
    await expect(channel.transmit(SELECT)).rejects.toThrow(CardGoneError);
  });

  test('a token that takes no frame is gone after 2 seconds', async () => {
    const token = plugIn();
    const channel = await openWebUsbToken(token, clock);
    token.onOut = () => new Promise(() => {});
    const answer = errorOf(channel.transmit(SELECT));
    await clock.advance(2_000);
    expect(String(await answer)).toMatch(/does not answer; plug it in again/);
    expect(token.opened).toBe(false);
  });

  test('an answer to a program that has ended is passed over', async () => {
    const token = plugIn();
    token.device.receive(fromHex(`0001040000${'00'.repeat(59)}`));
    await clock.advance(1);
    const channel = await openWebUsbToken(token, clock);
    expect(toHex(await channel.transmit(SELECT))).toBe('6a82');
  });
});

test('pulled 100 times in mid-command, no command is stuck and the card goes on', async () => {
  let gone = 0;
  for (let i = 0; i < 100; i++) {
    const token = plugIn();
    const channel = await openWebUsbToken(token, clock);
    const answers = Array.from({ length: 3 }, () => channel.transmit(SELECT).then(toHex, (error: unknown) => error));
    for (let turn = i % 11; turn > 0; turn--) await Promise.resolve();
    token.pull();
    for (const answer of await Promise.all(answers)) {
      expect(answer === '6a82' || answer instanceof CardGoneError).toBe(true);
      if (answer !== '6a82') gone++;
    }
    await channel.close();
  }
  expect(gone).toBeGreaterThan(0);
});

test('pulled while nobody asks, the next command says so', async () => {
  const token = plugIn();
  const channel = await openWebUsbToken(token, clock);
  token.pull();
  await expect(channel.transmit(SELECT)).rejects.toThrow(/is gone; plug it in again/);
  await channel.close();
  const error = await errorOf(channel.transmit(SELECT));
  expect(error).toBeInstanceOf(CardGoneError);
  expect(error).not.toBeInstanceOf(TransportError);
});
