/** What is done for one card comes one after the other; for others meanwhile. */
export class CardTurns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** @param card its id in hexadecimal. */
  run<T>(card: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#last.get(card) ?? Promise.resolve()).then(work);
    const settled = done.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(card, settled);
    void settled.then(() => {
      if (this.#last.get(card) === settled) this.#last.delete(card);
    });
    return done;
  }
}
