import { once } from 'node:events';
import { PcscError, pcscErrorFrom } from './pcsc-error.ts';
import type { BoundReader, PcscBinding } from './pcsc-port.ts';
import { bindPcsclite } from './pcsclite-binding.ts';

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;
/**
 * pcsclite loses a thread's last word when a reader is closed in the moment it tells something, and the process never
 * ends: so nothing is closed before all has been quiet for so long.
 */
const QUIET_MS = 100;

/** A user of the service; while there is one it stays connected to pcscd, or tries to be. */
export interface Lease {
  release(): void;
}

/**
 * The one context this process has with pcscd, shared by whoever needs it. When pcscd ends, every reader is gone, and a
 * new context is tried for with growing pauses: the old one never recovers.
 */
class PcscService {
  /** Rises with every change of readers, cards or the service itself. */
  version = 0;
  readonly #changes = new EventTarget();
  #binding: PcscBinding | undefined;
  #failure: PcscError | undefined;
  #opening: Promise<void> | undefined;
  #users = 0;
  #retry: NodeJS.Timeout | undefined;
  #pause = FIRST_RETRY_MS;
  #lastTold = 0;
  #closing: NodeJS.Timeout | undefined;

  /** Why there is no context just now. */
  get failure(): PcscError | undefined {
    return this.#failure ?? this.#binding?.failure;
  }

  /** Empty while the service is down. */
  get readers(): readonly BoundReader[] {
    return [...(this.#binding?.readers.values() ?? [])];
  }

  /** Connects to pcscd if nobody has yet; look at `failure` to see whether that went well. */
  async use(): Promise<Lease> {
    this.#users++;
    clearTimeout(this.#closing);
    if (this.#binding?.failure !== undefined) this.#lose(this.#binding.failure);
    if (this.#binding === undefined) await this.#open();
    let released = false;
    return {
      release: () => {
        if (released) return;
        released = true;
        if (--this.#users === 0) this.#closeWhenQuiet();
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
    this.#opening ??= this.#bind().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #bind(): Promise<void> {
    clearTimeout(this.#retry);
    let binding: PcscBinding | undefined;
    let failure: PcscError | undefined;
    try {
      binding = await bindPcsclite({
        changed: () => this.#tell(),
        failed: (error) => {
          failure = error;
          if (binding !== undefined && this.#binding === binding) this.#lose(error);
        },
      });
    } catch (error) {
      failure = error instanceof PcscError ? error : pcscErrorFrom(error);
    }
    if (failure !== undefined || this.#users === 0) {
      binding?.close();
      if (failure !== undefined) this.#lose(failure);
      return;
    }
    this.#binding = binding;
    this.#failure = undefined;
    this.#pause = FIRST_RETRY_MS;
    this.#tell();
  }

  /** Everything that was open is void; try again as long as somebody waits. */
  #lose(error: PcscError): void {
    this.#binding?.close();
    this.#binding = undefined;
    this.#failure = error;
    this.#tell();
    if (this.#users === 0) return;
    this.#retry = setTimeout(() => void this.#open(), this.#pause);
    this.#pause = Math.min(2 * this.#pause, LAST_RETRY_MS);
  }

  #closeWhenQuiet(): void {
    clearTimeout(this.#retry);
    const quiet = performance.now() - this.#lastTold;
    if (this.#binding !== undefined && quiet < QUIET_MS) {
      this.#closing = setTimeout(() => this.#closeWhenQuiet(), QUIET_MS - quiet);
      return;
    }
    this.#binding?.close();
    this.#binding = undefined;
    this.#failure = undefined;
    this.#pause = FIRST_RETRY_MS;
  }

  #tell(): void {
    this.version++;
    this.#lastTold = performance.now();
    this.#changes.dispatchEvent(new Event('change'));
  }
}

export const pcscService: PcscService = new PcscService();
