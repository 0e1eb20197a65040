import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { CardGoneError, TransportError } from '../../../apdu/errors.ts';
import type { Clock } from '../../clock/clock.ts';
import type { KeyLoader } from '../keys/key-loader.ts';

interface CardErrandsOptions {
  readonly keys: KeyLoader;
  readonly clock: Clock;
  /** Called when there is something to do. */
  readonly onAdded: () => void;
}

/** What others do with the card of a run between two groups, one thing after the other. */
export class CardErrands {
  readonly #options: CardErrandsOptions;
  readonly #waiting: ((module: DecodeModule) => Promise<void>)[] = [];
  readonly #failures: ((reason: Error) => void)[] = [];
  #closed: Error | undefined;

  constructor(options: CardErrandsOptions) {
    this.#options = options;
  }

  /**
   * Uses the card as soon as it is there and has a free moment.
   * @param work with the card alone: while it waits for anything else, the stream stands still.
   * @throws what `work` throws; CardGoneError when the run ends first.
   */
  use<T>(work: (module: DecodeModule) => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.#closed !== undefined) {
      reject(this.#closed);
      return promise;
    }
    this.#failures.push(reject);
    this.#waiting.push(async (module) => {
      this.#failures.shift();
      try {
        resolve(await work(module));
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
        // Whoever has the card must know that it has gone.
        if (error instanceof CardGoneError || error instanceof TransportError) throw error;
      }
    });
    this.#options.onAdded();
    return promise;
  }

  /**
   * Loads a key message that came another way than by the key port, as in the answer to a request.
   * @returns the card's confirm, if it has one.
   * @throws ModuleError when the card refuses it; as `use` does.
   */
  loadKey(message: Uint8Array): Promise<Uint8Array | undefined> {
    const { keys, clock } = this.#options;
    return this.use((module) => keys.loadAnswered(module, message, clock.monotonic()));
  }

  /**
   * Does the first thing that waits.
   * @returns whether there was one.
   * @throws CardGoneError, TransportError when the card has gone meanwhile.
   */
  async runNext(module: DecodeModule): Promise<boolean> {
    const work = this.#waiting.shift();
    if (work === undefined) return false;
    await work(module);
    return true;
  }

  /** The run has ended: nothing is done any more. */
  close(): void {
    this.#closed = new CardGoneError();
    this.#waiting.length = 0;
    for (const fail of this.#failures.splice(0)) fail(this.#closed);
  }
}
