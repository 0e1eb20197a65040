import { once } from 'node:events';
import { PcscError, pcscErrorFrom } from './pcsc-error.ts';
import { openPcsclite, type PcscContext } from './pcsclite-context.ts';
import type { Reader } from './pcsclite-reader.ts';

const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 2_000;
/**
 * ms without news before a context is closed. When a reader is closed while it reports something, pcsclite loses the
 * end of a thread, and the process never ends.
 */
const QUIET_MS = 100;

/** A claim on the connection with pcscd: it is kept, and opened again when it breaks, until the last is released. */
export interface PcscHandle {
  /** Releasing twice does nothing. */
  release(): void;
}

/**
 * The one context that this process has with pcscd, shared by all who need it. When pcscd ends, its context and readers
 * never recover, so a new context is opened, with growing pauses between the attempts.
 */
class Pcscd {
  /** Rises with every change of readers, of cards or of pcscd itself. */
  version = 0;
  readonly #changes = new EventTarget();
  #context: PcscContext | undefined;
  #failure: PcscError | undefined;
  #opening: Promise<void> | undefined;
  #handles = 0;
  #retry: NodeJS.Timeout | undefined;
  #pause = FIRST_RETRY_MS;
  #changedAt = 0;
  #closing: NodeJS.Timeout | undefined;

  /** Why there is no context at present. */
  get failure(): PcscError | undefined {
    return this.#failure ?? this.#context?.failure;
  }

  /** Empty while there is no context. */
  get readers(): readonly Reader[] {
    return [...(this.#context?.readers.values() ?? [])];
  }

  /** Connects to pcscd unless that is done. Never throws: when it fails, `failure` says why. */
  async acquire(): Promise<PcscHandle> {
    this.#handles++;
    clearTimeout(this.#closing);
    if (this.#context?.failure !== undefined) this.#lose(this.#context.failure);
    if (this.#context === undefined) await this.#open();
    let released = false;
    return {
      release: () => {
        if (released) return;
        released = true;
        if (--this.#handles === 0) this.#closeWhenQuiet();
      },
    };
  }

  /** Resolves at the next change after `version`, or when the signal aborts. */
  async changed(version: number, signal?: AbortSignal): Promise<void> {
    if (this.version !== version || signal?.aborted === true) return;
    await once(this.#changes, 'change', signal === undefined ? {} : { signal }).catch((error: unknown) => {
      if (signal?.aborted !== true) throw error;
    });
  }

  #open(): Promise<void> {
    this.#opening ??= this.#openContext().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #openContext(): Promise<void> {
    clearTimeout(this.#retry);
    let context: PcscContext | undefined;
    let failure: PcscError | undefined;
    try {
      context = await openPcsclite({
        changed: () => this.#notify(),
        failed: (error) => {
          failure = error;
          if (context !== undefined && this.#context === context) this.#lose(error);
        },
      });
    } catch (error) {
      failure = error instanceof PcscError ? error : pcscErrorFrom(error);
    }
    if (failure !== undefined || this.#handles === 0) {
      context?.close();
      if (failure !== undefined) this.#lose(failure);
      return;
    }
    this.#context = context;
    this.#failure = undefined;
    this.#pause = FIRST_RETRY_MS;
    this.#notify();
  }

  /** Gives the context up with all that was open on it. Opens another as long as there are handles. */
  #lose(error: PcscError): void {
    this.#context?.close();
    this.#context = undefined;
    this.#failure = error;
    this.#notify();
    if (this.#handles === 0) return;
    this.#retry = setTimeout(() => void this.#open(), this.#pause);
    this.#pause = Math.min(2 * this.#pause, MAX_RETRY_MS);
  }

  #closeWhenQuiet(): void {
    clearTimeout(this.#retry);
    const quiet = performance.now() - this.#changedAt;
    if (this.#context !== undefined && quiet < QUIET_MS) {
      this.#closing = setTimeout(() => this.#closeWhenQuiet(), QUIET_MS - quiet);
      return;
    }
    this.#context?.close();
    this.#context = undefined;
    this.#failure = undefined;
    this.#pause = FIRST_RETRY_MS;
  }

  #notify(): void {
    this.version++;
    this.#changedAt = performance.now();
    this.#changes.dispatchEvent(new Event('change'));
  }
}

export const pcscd: Pcscd = new Pcscd();
