/** Numbers remembered, at most. */
const SLOTS = 4096;

/**
 * Remembers, of numbers that strangers choose, most of the newest. By them it is seen who comes again: an address made up
 * for one packet does not.
 */
export class RecentNumbers {
  /** By a hash of their own, which nobody else can know. */
  readonly #numbers = new Float64Array(SLOTS).fill(NaN);
  readonly #salt = Math.floor(Math.random() * 2 ** 32);

  /**
   * Remembers a number.
   * @param number 0 to 2^48 - 1.
   * @returns whether it came before, lately.
   */
  add(number: number): boolean {
    const high = Math.imul(Math.floor(number / 0x10000) ^ this.#salt, 0x9e3779b1);
    const mixed = high ^ Math.imul((number % 0x10000) ^ this.#salt, 0x85ebca6b);
    const slot = Math.floor((mixed >>> 0) / (2 ** 32 / SLOTS));
    const cameBefore = this.#numbers[slot] === number;
    this.#numbers[slot] = number;
    return cameBefore;
  }
}
