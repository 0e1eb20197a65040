import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { pcscErrorFrom, type PcscError } from '../../../host/transport/card/pcsc/pcsc-error.ts';
import { openPcsclite, type PcscContext } from '../../../host/transport/card/pcsc/pcsclite-context.ts';
import type { NativeCallback } from '../../../host/transport/card/pcsc/pcsclite-native.ts';

// A virtual reader cannot be unplugged: here the test plays pcsclite.

class PlayedReader extends EventEmitter {
  connected = false;
  closed = 0;
  readonly name: string;

  constructor(name: string) {
    super();
    this.name = name;
  }

  close(): void {
    this.closed++;
  }
}

class PlayedContext extends EventEmitter {
  closed = 0;
  #list: NativeCallback<Buffer | undefined> = () => {};
  start = (callback: NativeCallback<Buffer | undefined>): void => {
    this.#list = callback;
  };

  close(): void {
    this.closed++;
  }

  plug(reader: PlayedReader, state: number): void {
    this.emit('reader', reader);
    reader.emit('status', { state });
  }

  names(...names: string[]): void {
    this.#list(undefined, Buffer.from(names.map((name) => `${name}\0`).join('')));
  }
}

interface Opened {
  readonly context: PcscContext;
  readonly native: PlayedContext;
  readonly reader: PlayedReader;
  readonly failures: string[];
}

async function open(): Promise<Opened> {
  const native = new PlayedContext();
  const failures: string[] = [];
  const context = openPcsclite(
    { changed: () => {}, failed: ({ code }) => failures.push(code) },
    async () => () => native,
  );
  await delay(1);
  native.start(() => {}); // pcsclite calls it in the tick after its constructor
  const reader = new PlayedReader('USB reader');
  native.plug(reader, 0x1_0012);
  native.names('USB reader');
  return { context: await context, native, reader, failures };
}

test('a reader unplugged and plugged in again', async () => {
  const { context, native, reader, failures } = await open();
  reader.emit('end');
  native.names();
  expect([...context.readers.keys()]).toEqual([]);
  native.plug(new PlayedReader('USB reader'), 0x12);
  native.names('USB reader');
  await delay(1_100);
  expect([...context.readers.keys()]).toEqual(['USB reader']);
  expect(failures).toEqual([]);
});

test('a reader that came back before its old object ended fails the context, so that a new one finds it', async () => {
  const { context, native, reader, failures } = await open();
  native.names('USB reader'); // pcsclite still has the old object and makes no new one
  reader.emit('end');
  await delay(1_100);
  expect([...context.readers.keys()]).toEqual([]);
  expect(failures).toEqual(['PCSC_READER_GONE']);
});

test('the end of pcscd is reported once, whoever notices it first; closing reports nothing', async () => {
  const { context, native, reader, failures } = await open();
  reader.emit('error', new Error('SCardGetStatusChange error: RPC transport error.(0x80100013)'));
  native.emit('error', new Error('SCardGetStatusChange error: Service not available.(0x8010001d)'));
  await delay(5);
  expect(failures).toEqual(['PCSC_SERVICE_LOST']);
  context.close();
  expect([native.closed, reader.closed]).toEqual([1, 1]);
});

test('errors that closing causes are not reported', async () => {
  const { context, native, reader, failures } = await open();
  context.close();
  reader.emit('error', new Error('SCardGetStatusChange error: Command cancelled.(0x80100002)'));
  native.emit('error', new Error('SCardGetStatusChange error: Command cancelled.(0x80100002)'));
  reader.emit('end');
  await delay(5);
  expect(failures).toEqual([]);
});

test.each([
  ['SCardConnect error: Card is unresponsive.(0x80100066)', 'PCSC_MUTE', true],
  ['SCardTransmit error: Card was reset.(0x80100068)', 'PCSC_RESET', true],
  ['SCardTransmit error: Transaction failed.(0xffffffff80100016)', 'PCSC_LINK', true],
  ['SCardConnect error: Sharing violation.(0x8010000b)', 'PCSC_IN_USE', false],
  ['SCardConnect error: Access denied.(0x8010006a)', 'PCSC_DENIED', false],
  ['SCardConnect error: something new.(0x80109999)', 'PCSC_FAILED', false],
  ['Card Reader not connected', 'PCSC_FAILED', false],
])('%s', (message, code, isCardLost) => {
  const error: PcscError = pcscErrorFrom(new Error(message), 'USB reader');
  expect(error).toMatchObject({ code, isCardLost });
  expect(error.message).toMatch(/^[^\n]+; [^\n]+$/);
});

test('PC/SC in a worker thread is refused', async () => {
  const module = new URL('../../../host/transport/card/pcsc/readers.ts', import.meta.url).href;
  const script = `import(${JSON.stringify(module)})
    .then(({ listReaders }) => listReaders())
    .catch(({ code }) => require('node:worker_threads').parentPort.postMessage(code));`;
  const worker = new Worker(script, { eval: true });
  const code = await new Promise((resolve) => worker.once('message', resolve));
  expect(code).toBe('PCSC_WORKER');
  await worker.terminate();
});
