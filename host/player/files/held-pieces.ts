/** Which pieces of a file are here: a bit for each. */
export class HeldPieces {
  readonly #bits: Uint8Array;
  readonly pieces: number;
  #count = 0;

  /** @param bits as {@link HeldPieces.bits} gave them. */
  constructor(pieces: number, bits?: Uint8Array) {
    this.pieces = pieces;
    this.#bits = bits?.slice() ?? new Uint8Array(Math.ceil(pieces / 8));
    if (bits === undefined) return;
    for (let number = 0; number < pieces; number++) if (this.has(number)) this.#count++;
  }

  /** How many are here. */
  get count(): number {
    return this.#count;
  }

  get bits(): Uint8Array {
    return this.#bits;
  }

  has(number: number): boolean {
    return ((this.#bits[number >>> 3] ?? 0) & (1 << (number & 7))) !== 0;
  }

  add(number: number): void {
    if (this.has(number)) return;
    this.#bits[number >>> 3]! |= 1 << (number & 7);
    this.#count += 1;
  }
}
