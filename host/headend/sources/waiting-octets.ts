/** Octets that may wait. What comes then is lost, as in a full receive buffer. */
const MAX_OCTETS = 0x1000000;
/** Pieces that may wait. Each takes memory of its own, however short it is. */
const MAX_PIECES = 0x4000;

/** Holds what was received and is not sent yet, in order and within bounds. */
export class WaitingOctets {
  readonly #pieces: { readonly octets: Uint8Array; readonly arrival: number }[] = [];
  #size = 0;

  /**
   * @param arrival ms of the clock.
   * @returns whether there was room. An empty piece needs none.
   */
  add(octets: Uint8Array, arrival: number): boolean {
    if (octets.length === 0) return true;
    if (this.#size + octets.length > MAX_OCTETS || this.#pieces.length >= MAX_PIECES) return false;
    this.#pieces.push({ octets, arrival });
    this.#size += octets.length;
    return true;
  }

  /** Takes the oldest piece. */
  take(): { readonly octets: Uint8Array; readonly arrival: number } | undefined {
    const piece = this.#pieces.shift();
    this.#size -= piece?.octets.length ?? 0;
    return piece;
  }
}
