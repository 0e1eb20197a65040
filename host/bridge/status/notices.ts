/** Lines kept between two calls of `forget`: the network can vary some of them without end. */
const MAX_LINES = 100;

/** Tells the user each line once. */
export class Notices {
  readonly #tell: (line: string) => void;
  readonly #told = new Set<string>();

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  say(line: string): void {
    if (this.#told.has(line) || this.#told.size > MAX_LINES) return;
    this.#told.add(line);
    this.#tell(line);
  }

  /** Lines that were told may be told again. */
  forget(): void {
    this.#told.clear();
  }
}
