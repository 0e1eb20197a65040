/** Octets that may wait; what comes after them is lost, as it is in a full receive buffer. */
const MAX_OCTETS = 0x1000000;
/** Pieces that may wait: as many as make that many octets of usual datagrams. Each one takes memory, however short it is. */
const MAX_PIECES = 0x4000;

/** What was received and is not sent yet, in order and bounded. */
export class WaitingOctets {
  readonly #pieces: { readonly octets: Uint8Array; readonly arrival: number }[] = [];
  #size = 0;

  /** @param arrival ms. @returns whether there was room for it; octets that are none need no room. */
  add(octets: Uint8Array, arrival: number): boolean {
    if (octets.length === 0) return true;
    if (this.#size + octets.length > MAX_OCTETS || this.#pieces.length >= MAX_PIECES) return false;
    this.#pieces.push({ octets, arrival });
    this.#size += octets.length;
    return true;
  }

  /** The oldest piece. */
  take(): { readonly octets: Uint8Array; readonly arrival: number } | undefined {
    const piece = this.#pieces.shift();
    this.#size -= piece?.octets.length ?? 0;
    return piece;
  }
}
