/** What falls due when, to the second. Something may be in it more often than it is due: whoever takes it looks. */
export class DueTimes<T> {
  readonly #bySecond = new Map<number, Set<T>>();

  /** @param at seconds. */
  add(at: number, what: T): void {
    const present = this.#bySecond.get(at);
    if (present === undefined) this.#bySecond.set(at, new Set([what]));
    else present.add(what);
  }

  /** Takes out all that is due up to a second, this one counted; what is due earlier comes first. */
  take(now: number): T[] {
    const seconds = [...this.#bySecond.keys()].filter((at) => at <= now).toSorted((a, b) => a - b);
    return seconds.flatMap((at) => {
      const due = [...this.#bySecond.get(at)!];
      this.#bySecond.delete(at);
      return due;
    });
  }

  /** The next second at which something may be due. */
  get next(): number {
    let next = Infinity;
    for (const at of this.#bySecond.keys()) if (at < next) next = at;
    return next;
  }
}
