import type koffi from 'koffi';

type Koffi = typeof koffi;

let loaded: Promise<Koffi | undefined> | undefined;

/** Loads koffi, an optional dependency. @returns nothing where it is not installed or has no build for this machine. */
export function loadKoffi(): Promise<Koffi | undefined> {
  loaded ??= import('koffi').then(
    (module) => module.default,
    () => undefined,
  );
  return loaded;
}

/**
 * Knows where memory lies, for calls of C that take addresses as numbers. The collector does not see such addresses: who
 * uses one refers to the octets until the call has returned, or their memory may become another's.
 */
export class AddressBook {
  readonly #locate: (memory: Uint8Array) => number;
  readonly #known = new WeakMap<ArrayBufferLike, number>();
  #last: ArrayBufferLike | undefined;
  #lastAt = 0;
  /** Asked about last: an output is the same packet after packet. */
  #lastOctets: Uint8Array | undefined;
  #lastOctetsAt = 0;

  /** @param locate finds the address of memory the slow way. */
  constructor(locate: (memory: Uint8Array) => number) {
    this.#locate = locate;
  }

  /** Valid as long as the caller refers to the octets. */
  addressOf(octets: Uint8Array): number {
    if (octets === this.#lastOctets) return this.#lastOctetsAt;
    // To ask for the buffer also moves small arrays out of the collector's heap, so that they stay where they are.
    const { buffer } = octets;
    if (buffer !== this.#last) {
      this.#lastAt = this.#find(buffer);
      this.#last = buffer;
    }
    this.#lastOctets = octets;
    this.#lastOctetsAt = this.#lastAt + octets.byteOffset;
    return this.#lastOctetsAt;
  }

  #find(buffer: ArrayBufferLike): number {
    const known = this.#known.get(buffer);
    if (known !== undefined) return known;
    const at = this.#locate(new Uint8Array(buffer));
    this.#known.set(buffer, at);
    return at;
  }
}
