import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';
import { PcscError, pcscErrorFrom, pcscErrorOf, SCARD } from './pcsc-error.ts';
import { loadPcsclite, type NativeContext, type NativeReader } from './pcsclite-native.ts';
import { PcscliteReader, type Reader } from './pcsclite-reader.ts';

/** How long pcscd may list a reader for which pcsclite has no object. */
const REPLUG_GRACE_MS = 1_000;
/** Contexts closed between two garbage collections: each holds threads of pcscd's 200 until it is collected. */
const COLLECT_EVERY = 16;

/** A context with pcscd: what is needed of a PC/SC library, so that another can take the place of pcsclite. */
export interface PcscContext {
  readonly readers: ReadonlyMap<string, Reader>;
  /** Why the context is dead; set at once, before the listener is called. */
  readonly failure: PcscError | undefined;
  /** Closes the context and every reader; connections must be disconnected before. Never throws. */
  close(): void;
}

export interface ContextListener {
  /** A reader or a card came or went. */
  changed(): void;
  /** The context is dead; close it and open a new one. */
  failed(error: PcscError): void;
}

let closedContexts = 0;

/**
 * Opens a context with pcscd through the npm package pcsclite, which is loaded only now, and waits until the state of
 * every reader is known.
 * @param load brings pcsclite; a test passes its own to show what no virtual reader does.
 * @throws PcscError
 */
export async function openPcsclite(listener: ContextListener, load = loadPcsclite): Promise<PcscContext> {
  if (!isMainThread) {
    throw new PcscError('PCSC_WORKER', 'PC/SC works in the main thread only; open the card there', 0);
  }
  const open = await load();
  let native: NativeContext;
  try {
    native = open();
  } catch (cause) {
    throw pcscErrorFrom(cause);
  }
  const context = new PcscliteContext(native, listener);
  await context.ready;
  return context;
}

class PcscliteContext implements PcscContext {
  readonly readers: Map<string, PcscliteReader> = new Map();
  /** Resolves once the state of every reader of the first list is known, or the context has failed. */
  readonly ready: Promise<void>;
  readonly #native: NativeContext;
  readonly #listener: ContextListener;
  failure: PcscError | undefined;
  #names: readonly string[] | undefined;
  #markReady: () => void = () => {};
  #over = false;

  constructor(native: NativeContext, listener: ContextListener) {
    this.#native = native;
    this.#listener = listener;
    this.ready = new Promise((resolve) => {
      this.#markReady = resolve;
    });
    native.on('error', (cause) => this.#fail(pcscErrorFrom(cause)));
    native.on('reader', (reader) => this.#add(reader));
    // pcsclite has no event for an empty list of readers, but it passes every list to the callback of `start`, which it
    // calls in the next tick.
    const start = native.start.bind(native);
    native.start = (callback) =>
      start((error, names) => {
        callback(error, names);
        if (!error) this.#setNames(names);
      });
  }

  #setNames(names: Buffer | undefined): void {
    this.#names = names?.toString('utf8').split('\0').filter(Boolean) ?? [];
    this.#changed();
  }

  #add(native: NativeReader): void {
    const failIfPcscdIsLost = (error: PcscError): void => {
      if (error.isPcscdLost) this.#fail(error);
    };
    const reader = new PcscliteReader(native, failIfPcscdIsLost);
    this.readers.set(reader.name, reader);
    native.on('status', ({ state, atr }) => {
      reader.update(state, atr);
      this.#changed();
    });
    // An error event without a listener would end this process together with pcscd.
    native.on('error', (cause) => {
      const error = pcscErrorFrom(cause, reader.name);
      // pcscd had no thread left for the reader.
      if (error.result === SCARD.INVALID_HANDLE) this.#fail(error);
      else failIfPcscdIsLost(error);
    });
    native.on('end', () => {
      reader.gone = true;
      if (this.readers.get(reader.name) === reader) this.readers.delete(reader.name);
      this.#changed();
      if (!this.#over) this.#failIfReplugged(reader.name);
    });
  }

  /** A reader that comes back before its old object has ended is seen by a new context only: pcsclite misses it. */
  #failIfReplugged(name: string): void {
    setTimeout(() => {
      const listed = this.#names?.includes(name) ?? false;
      if (listed && !this.readers.has(name)) this.#fail(pcscErrorOf(SCARD.READER_UNAVAILABLE, name));
    }, REPLUG_GRACE_MS).unref();
  }

  // pcsclite calls back with a lock held and runs no microtasks: so these two leave its callback by `setImmediate`.

  #changed(): void {
    setImmediate(() => {
      if (this.#over) return;
      if (this.#names?.every((name) => this.readers.get(name)?.state !== undefined)) this.#markReady();
      this.#listener.changed();
    });
  }

  /** Does nothing once the context is closed: closing ends every native thread with the error 0x80100002. */
  #fail(error: PcscError): void {
    if (this.#over) return;
    this.#over = true;
    this.failure = error;
    setImmediate(() => {
      this.#listener.failed(error);
      this.#markReady();
    });
  }

  /** Closes each reader too: pcsclite's own `close` does not, and a reader left open keeps its thread in pcscd. */
  close(): void {
    this.#over = true;
    const closing = [...this.readers.values()];
    for (const reader of closing) reader.close();
    this.readers.clear();
    this.#native.close();
    collectLater([this.#native, ...closing]);
  }
}

/** Lets native objects be collected after two more turns of the event loop, which touches them until then. */
function collectLater(closed: unknown[]): void {
  let turns = 3;
  const turn = (): void => {
    if (turns-- > 0) setImmediate(turn);
    else if (closed.splice(0).length > 0 && ++closedContexts % COLLECT_EVERY === 0) collectGarbage();
  };
  turn();
}

/** pcsclite releases a context nowhere but in the finaliser of its native object. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
}
