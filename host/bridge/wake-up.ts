/** Rest that ends when something comes in. */
export class WakeUp {
  #stirred = false;
  #stir: (() => void) | undefined;

  /** Something came in: ends a rest, or the next one before it begins. */
  ring(): void {
    this.#stirred = true;
    this.#stir?.();
  }

  /** What came in so far is about to be looked at. */
  attend(): void {
    this.#stirred = false;
  }

  /** Until something comes in, `ms` at the most; not at all if something did since `attend`. */
  async rest(ms: number): Promise<void> {
    if (this.#stirred) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#stir = resolve;
    await promise;
    this.#stir = undefined;
    clearTimeout(timer);
  }
}
