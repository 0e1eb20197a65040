/** Runs jobs one at a time, in the order they came. A job that fails does not hold up the next. */
export class SerialQueue {
  #last: Promise<unknown> | undefined;

  run<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#last === undefined ? job() : this.#last.then(job, job);
    const forget = (): void => {
      if (this.#last === result) this.#last = undefined;
    };
    this.#last = result;
    result.then(forget, forget);
    return result;
  }
}
