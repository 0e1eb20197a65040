/** ms from which on older octets count less. */
const WINDOW = 10_000;
/** ms that a measurement needs at least. */
const MIN_MEASURED = 300;
const HOUR = 3_600_000n;

/** Measures how fast the octets of one sender come, before anybody pays for them. */
export class PaceMeter {
  #since: number | undefined;
  #octets = 0;

  add(octets: number, now: number): void {
    this.#since ??= now;
    this.#octets += octets;
    if (now - this.#since > WINDOW) {
      this.#since = (this.#since + now) / 2;
      this.#octets = Math.round(this.#octets / 2);
    }
  }

  /** Octets that come in an hour; 0n while there is too little to tell. */
  perHour(now: number): bigint {
    if (this.#since === undefined || now - this.#since < MIN_MEASURED) return 0n;
    return (BigInt(this.#octets) * HOUR) / BigInt(Math.round(now - this.#since));
  }
}
