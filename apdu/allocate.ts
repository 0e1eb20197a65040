const SLAB = 32_768;
const MAX_SHARED = 512;

let slab = new ArrayBuffer(SLAB);
let used = 0;

/**
 * Gives zeroed octets for something short-lived. Engines keep arrays of up to 64 octets cheaply and charge ten times as
 * much for larger ones, while views of a common buffer cost little at any length. No octet is given out twice.
 */
export function allocate(length: number): Uint8Array {
  if (length > MAX_SHARED) return new Uint8Array(length);
  if (used + length > SLAB) {
    slab = new ArrayBuffer(SLAB);
    used = 0;
  }
  const octets = new Uint8Array(slab, used, length);
  used += (length + 7) & ~7; // aligned for those who read words
  return octets;
}
