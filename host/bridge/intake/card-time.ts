/** ms of card time for each ms that passes. */
const SHARE = 0.2;
/** ms that can be saved up. */
const MAX_SAVED = 100;
/** ms that a command counts at least. */
const MIN_COMMAND = 0.2;

/** A share of the card's time. */
export class CardTime {
  #left = MAX_SAVED;
  #now = -Infinity;

  /** Whether there is something of it left. */
  isLeft(now: number): boolean {
    this.#left = Math.min(MAX_SAVED, this.#left + SHARE * Math.max(0, now - this.#now));
    this.#now = now;
    return this.#left > 0;
  }

  /** A command used it from one ms to the other. */
  use(from: number, to: number): void {
    this.#left -= Math.max(MIN_COMMAND, to - from);
  }
}
