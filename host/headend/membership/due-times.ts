/** What falls due when, to the second. Something may be in it more often than it is due: whoever takes it looks. */
export class DueTimes<T> {
  readonly #bySecond = new Map<number, Set<T>>();
  #next = Infinity;

  /** @param at seconds. */
  add(at: number, what: T): void {
    if (at < this.#next) this.#next = at;
    const present = this.#bySecond.get(at);
    if (present === undefined) this.#bySecond.set(at, new Set([what]));
    else present.add(what);
  }

  /** Takes out all that is due up to a second, this one counted; what is due earlier comes first. */
  take(now: number): T[] {
    if (now < this.#next) return [];
    const seconds = [...this.#bySecond.keys()].toSorted((a, b) => a - b);
    const due = seconds.filter((at) => at <= now);
    this.#next = seconds[due.length] ?? Infinity;
    return due.flatMap((at) => {
      const what = [...this.#bySecond.get(at)!];
      this.#bySecond.delete(at);
      return what;
    });
  }

  /** The next second at which something may be due. */
  get next(): number {
    return this.#next;
  }
}
