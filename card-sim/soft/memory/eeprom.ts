/** Keeps the persistent memory of a card. */
export interface CardStore {
  /** The image that was saved last; nothing for a new card. */
  load(): Uint8Array | undefined;
  /**
   * Keeps the whole image, or the one before it if that fails.
   * @param changes what is new in it.
   * @throws TransportError
   */
  save(image: Uint8Array, changes: readonly Change[]): void;
  /**
   * Waits until what was saved survives a power cut; nothing is to be waited for where it does so at once.
   * @throws TransportError when it cannot be known that it will.
   */
  sync?(): Promise<void> | undefined;
}

/** The power failed in a command, which gets no answer. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut';
}

/** When the power fails in the next command: after so many writes, or after its last. */
export type CutPoint = number | 'afterLast';

/** Octets to write, as one with others of the same write. */
export interface Change {
  readonly at: number;
  readonly octets: Uint8Array;
}

/** The card's persistent memory. Every change goes through `write`, which is atomic, counts, and may cut the power. */
export class Eeprom {
  /** Others only read it. */
  readonly image: Uint8Array;
  /** Atomic writes since the start. */
  writes = 0;
  readonly #store: CardStore | undefined;
  #cut: CutPoint | undefined;
  #writesOfCommand = 0;

  /**
   * @param image what the store holds, or what a new card does; it is changed in place.
   * @param store keeps each write; without one the memory is gone with this object.
   */
  constructor(image: Uint8Array, store?: CardStore) {
    this.image = image;
    this.#store = store;
  }

  /** Makes all changes or none. @throws PowerCut before any of them. */
  write(...changes: readonly Change[]): void {
    if (this.#cut === this.#writesOfCommand) this.#fail();
    this.#writesOfCommand++;
    this.writes++;
    for (const { at, octets } of changes) this.image.set(octets, at);
    this.#store?.save(this.image, changes);
  }

  /** Waits until all that was written survives a power cut; nothing is to be waited for where it does already. */
  sync(): Promise<void> | undefined {
    return this.#store?.sync?.();
  }

  /** @param cut the power fails when the command has made this many writes, or after its last. */
  beginCommand(cut: CutPoint | undefined): void {
    this.#cut = cut;
    this.#writesOfCommand = 0;
    if (cut === 0) this.#fail();
  }

  /** @throws PowerCut when the power is to fail before the answer. */
  endCommand(): void {
    if (this.#cut === 'afterLast' || this.#cut === this.#writesOfCommand) this.#fail();
  }

  #fail(): never {
    this.#cut = undefined;
    throw new PowerCut();
  }
}
