/** ms, rising; each bucket takes what is at most as late and later than the one before. */
const BOUNDS = [0.25, 0.5, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 50, 100, 200, 350, 500, 1000, 2000, 5000] as const;

/** How late packets went, counted in buckets: it costs the same for a billion of them. */
export class Lateness {
  readonly #counts = new Float64Array(BOUNDS.length + 1);
  #worst = 0;

  /** @param ms after they were due. */
  add(ms: number, packets = 1): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && ms > BOUNDS[bucket]!) bucket += 1;
    this.#counts[bucket]! += packets;
    if (ms > this.#worst) this.#worst = ms;
  }

  /** Adds what another one counted. */
  addAll(other: Lateness): void {
    for (const [bucket, count] of other.#counts.entries()) this.#counts[bucket]! += count;
    this.#worst = Math.max(this.#worst, other.#worst);
  }

  /**
   * @param share 0 to 1.
   * @returns ms; this share of the packets was at most so late, to the bucket's bound. 0 when there was none.
   */
  quantile(share: number): number {
    const all = this.#counts.reduce((sum, count) => sum + count, 0);
    let seen = 0;
    for (const [bucket, bound] of BOUNDS.entries()) {
      seen += this.#counts[bucket]!;
      if (seen >= share * all) return Math.min(bound, this.#worst);
    }
    return this.#worst;
  }
}
