/** Runs jobs one at a time, in the order they came; one that fails does not hold up the next. */
export class Turns {
  #last: Promise<unknown> | undefined;

  take<T>(job: () => Promise<T>): Promise<T> {
    const turn = this.#last === undefined ? job() : this.#last.then(job, job);
    const forget = (): void => {
      if (this.#last === turn) this.#last = undefined;
    };
    this.#last = turn;
    turn.then(forget, forget);
    return turn;
  }
}
