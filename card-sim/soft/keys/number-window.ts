import { readUint, writeUint } from '../../../apdu/octets.ts';

const WIDTH = 32;

/** Which message numbers under the unique key and the card's own pair are taken (protocol 4.4 step 4). */
export class NumberWindow {
  /** Highest number taken. */
  readonly #high: number;
  /** Bit i: number high - i is taken. */
  readonly #bitmap: number;

  private constructor(high: number, bitmap: number) {
    this.#high = high;
    this.#bitmap = bitmap >>> 0;
  }

  /** @param octets 8 of them. */
  static decode(octets: Uint8Array): NumberWindow {
    return new NumberWindow(readUint(octets, 0, 4), readUint(octets, 4, 4));
  }

  encode(): Uint8Array {
    const octets = new Uint8Array(8);
    writeUint(octets, 0, 4, this.#high);
    writeUint(octets, 4, 4, this.#bitmap);
    return octets;
  }

  /** Whether a number was taken before, or lies below the window. */
  refuses(number: number): boolean {
    if (number > this.#high) return false;
    const back = this.#high - number;
    return back >= WIDTH || ((this.#bitmap >>> back) & 1) === 1;
  }

  equals(other: NumberWindow): boolean {
    return this.#high === other.#high && this.#bitmap === other.#bitmap;
  }

  /** Takes every number up to this one. @returns another window. */
  takeAll(number: number): NumberWindow {
    if (number > this.#high) return new NumberWindow(number, 0xffff_ffff);
    const back = this.#high - number;
    return back >= WIDTH ? this : new NumberWindow(this.#high, this.#bitmap | (0xffff_ffff << back));
  }

  /** Takes a number. @returns another window. */
  take(number: number): NumberWindow {
    if (number <= this.#high) return new NumberWindow(this.#high, this.#bitmap | (1 << (this.#high - number)));
    const ahead = number - this.#high;
    return new NumberWindow(number, ahead >= WIDTH ? 1 : (this.#bitmap << ahead) | 1);
  }
}
