import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { pcscErrorFrom, type PcscError } from '../../../host/transport/card/pcsc/pcsc-error.ts';
import type { PcscBinding } from '../../../host/transport/card/pcsc/pcsc-port.ts';
import { bindPcsclite } from '../../../host/transport/card/pcsc/pcsclite-binding.ts';
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

interface Bound {
  readonly binding: PcscBinding;
  readonly context: PlayedContext;
  readonly reader: PlayedReader;
  readonly failures: string[];
}

async function bound(): Promise<Bound> {
  const context = new PlayedContext();
  const failures: string[] = [];
  const binding = bindPcsclite(
    { changed: () => {}, failed: ({ code }) => failures.push(code) },
    async () => () => context,
  );
  await delay(1);
  context.start(() => {}); // pcsclite calls it in the tick after its constructor
  const reader = new PlayedReader('USB reader');
  context.plug(reader, 0x1_0012);
  context.names('USB reader');
  return { binding: await binding, context, reader, failures };
}

test('a reader unplugged and plugged in again', async () => {
  const { binding, context, reader, failures } = await bound();
  reader.emit('end');
  context.names();
  expect([...binding.readers.keys()]).toEqual([]);
  context.plug(new PlayedReader('USB reader'), 0x12);
  context.names('USB reader');
  await delay(1_100);
  expect([...binding.readers.keys()]).toEqual(['USB reader']);
  expect(failures).toEqual([]);
});

test('a reader that came back before pcsclite had let go of it is found by a new context', async () => {
  const { binding, context, reader, failures } = await bound();
  context.names('USB reader'); // pcsclite still has the old object and makes no new one
  reader.emit('end');
  await delay(1_100);
  expect([...binding.readers.keys()]).toEqual([]);
  expect(failures).toEqual(['PCSC_READER_GONE']);
});

test('pcscd ends once, whoever says it first; closing ends nothing', async () => {
  const { binding, context, reader, failures } = await bound();
  reader.emit('error', new Error('SCardGetStatusChange error: RPC transport error.(0x80100013)'));
  context.emit('error', new Error('SCardGetStatusChange error: Service not available.(0x8010001d)'));
  await delay(5);
  expect(failures).toEqual(['PCSC_SERVICE_LOST']);
  binding.close();
  expect([context.closed, reader.closed]).toEqual([1, 1]);
});

test('what closing stirs up is no failure', async () => {
  const { binding, context, reader, failures } = await bound();
  binding.close();
  reader.emit('error', new Error('SCardGetStatusChange error: Command cancelled.(0x80100002)'));
  context.emit('error', new Error('SCardGetStatusChange error: Command cancelled.(0x80100002)'));
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
])('%s', (message, code, sessionLost) => {
  const error: PcscError = pcscErrorFrom(new Error(message), 'USB reader');
  expect(error).toMatchObject({ code, sessionLost });
  expect(error.message).toMatch(/^[^\n]+; [^\n]+$/);
});

test('a worker thread is told to leave it to the main thread', async () => {
  const module = new URL('../../../host/transport/card/pcsc/pcsc.ts', import.meta.url).href;
  const script = `import(${JSON.stringify(module)})
    .then(({ listReaders }) => listReaders())
    .catch(({ code }) => require('node:worker_threads').parentPort.postMessage(code));`;
  const worker = new Worker(script, { eval: true });
  const code = await new Promise((resolve) => worker.once('message', resolve));
  expect(code).toBe('PCSC_WORKER');
  await worker.terminate();
});
