import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';
import { PcscError, pcscErrorFrom, pcscErrorOf, SCARD } from './pcsc-error.ts';
import type { BindingListener, PcscBinding } from './pcsc-port.ts';
import { loadPcsclite, type NativeContext, type NativeReader } from './pcsclite-native.ts';
import { PcscliteReader } from './pcsclite-reader.ts';

/** How long a reader that pcscd lists may be without an object of pcsclite's. */
const REPLUG_GRACE_MS = 1_000;
/** Each context holds threads of pcscd's 200 until its native objects are collected. */
const COLLECT_EVERY = 16;

let closings = 0;

/**
 * Opens a context with pcscd through the npm package pcsclite, which is loaded only now, and waits until the state of
 * every reader is known.
 *
 * @param load brings pcsclite; a test of what no virtual reader does hands in its own.
 * @throws PcscError
 */
export async function bindPcsclite(listener: BindingListener, load = loadPcsclite): Promise<PcscBinding> {
  if (!isMainThread) {
    throw new PcscError('PCSC_WORKER', 'PC/SC works in the main thread only; open the card there', 0);
  }
  const open = await load();
  let context: NativeContext;
  try {
    context = open();
  } catch (cause) {
    throw pcscErrorFrom(cause);
  }
  const binding = new PcscliteBinding(context, listener);
  await binding.ready;
  return binding;
}

class PcscliteBinding implements PcscBinding {
  readonly readers: Map<string, PcscliteReader> = new Map();
  /** Resolves once every reader listed at first has told its state, or the context failed. */
  readonly ready: Promise<void>;
  readonly #context: NativeContext;
  readonly #listener: BindingListener;
  failure: PcscError | undefined;
  #names: readonly string[] | undefined;
  #markReady: () => void = () => {};
  #over = false;

  constructor(context: NativeContext, listener: BindingListener) {
    this.#context = context;
    this.#listener = listener;
    this.ready = new Promise((resolve) => {
      this.#markReady = resolve;
    });
    context.on('error', (cause) => this.#fail(pcscErrorFrom(cause)));
    context.on('reader', (native) => this.#add(native));
    // pcsclite tells of readers but not that there are none; it calls `start` in the next tick.
    const start = context.start.bind(context);
    context.start = (callback) =>
      start((error, names) => {
        callback(error, names);
        if (!error) this.#listed(names);
      });
  }

  #listed(names: Buffer | undefined): void {
    this.#names = names?.toString('utf8').split('\0').filter(Boolean) ?? [];
    this.#changed();
  }

  #add(native: NativeReader): void {
    const endIfLost = (error: PcscError): void => {
      if (error.serviceLost) this.#fail(error);
    };
    const reader = new PcscliteReader(native, endIfLost);
    this.readers.set(reader.name, reader);
    native.on('status', ({ state, atr }) => {
      reader.update(state, atr);
      this.#changed();
    });
    // Without a listener the end of pcscd would be the end of this process.
    native.on('error', (cause) => {
      const error = pcscErrorFrom(cause, reader.name);
      if (error.result === SCARD.INVALID_HANDLE) this.#fail(error); // pcscd had no thread left for it
      else endIfLost(error);
    });
    native.on('end', () => {
      reader.gone = true;
      if (this.readers.get(reader.name) === reader) this.readers.delete(reader.name);
      this.#changed();
      if (!this.#over) this.#expectReplug(reader.name);
    });
  }

  /** pcsclite misses a reader that comes back before its old object has ended: only a new context sees it. */
  #expectReplug(name: string): void {
    setTimeout(() => {
      const listed = this.#names?.includes(name) ?? false;
      if (listed && !this.readers.has(name)) this.#fail(pcscErrorOf(SCARD.READER_UNAVAILABLE, name));
    }, REPLUG_GRACE_MS).unref();
  }

  // Like every callback of pcsclite's these come with a lock held and run no microtasks: hence `setImmediate`.

  #changed(): void {
    setImmediate(() => {
      if (this.#over) return;
      if (this.#names?.every((name) => this.readers.get(name)?.state !== undefined)) this.#markReady();
      this.#listener.changed();
    });
  }

  /** Closing ends every native thread with 0x80100002, which is no failure any more. */
  #fail(error: PcscError): void {
    if (this.#over) return;
    this.#over = true;
    this.failure = error;
    setImmediate(() => {
      this.#listener.failed(error);
      this.#markReady();
    });
  }

  /** `pcsc.close()` closes no reader, and a reader that is not closed keeps its thread in pcscd. */
  close(): void {
    this.#over = true;
    const closing = [...this.readers.values()];
    for (const reader of closing) reader.close();
    this.readers.clear();
    this.#context.close();
    letGo([this.#context, ...closing]);
  }
}

/** The event loop touches native objects up to its second turn after they are closed: only then may they be collected. */
function letGo(closed: unknown[]): void {
  let turns = 3;
  const turn = (): void => {
    if (turns-- > 0) setImmediate(turn);
    else if (closed.splice(0).length > 0 && ++closings % COLLECT_EVERY === 0) collectGarbage();
  };
  turn();
}

/** pcsclite releases a context nowhere but in the finaliser of its native object. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
}
