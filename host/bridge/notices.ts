/** Lines told between two calls of `renew`; what comes from the network can vary some of them. */
const MOST = 100;

/** What the user may want to do something about: each line is told once. */
export class Notices {
  readonly #tell: (line: string) => void;
  readonly #told = new Set<string>();

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  say(line: string): void {
    if (this.#told.has(line) || this.#told.size > MOST) return;
    this.#told.add(line);
    this.#tell(line);
  }

  /** What was told may be told again. */
  renew(): void {
    this.#told.clear();
  }
}
