import { readUint } from '../../../apdu/octets.ts';

/** Octets of an MPEG-TS packet, ISO/IEC 13818-1 2.4.3. */
export const TS_PACKET = 188;

const SYNC = 0x47;
/** A PCR counts ticks of 27 MHz, and starts anew after this many. */
export const PCR_MODULUS = 2 ** 33 * 300;
/** So many sync octets in line show a transport stream. */
const SYNCS = 5;

/** A program clock reference, ISO/IEC 13818-1 2.4.3.5. */
export interface Pcr {
  readonly pid: number;
  /** Ticks of 27 MHz, below 2^33 * 300. */
  readonly ticks: number;
  /** A new time base starts here. */
  readonly discontinuity: boolean;
}

/**
 * Whether a packet starts at an offset.
 * @param inLine whether another packet ends there. Otherwise a sync octet is not enough; the next packet needs its own
 *   in its place.
 */
export function startsTsPacket(octets: Uint8Array, at: number, inLine: boolean): boolean {
  return octets[at] === SYNC && (inLine || octets[at + TS_PACKET] === SYNC);
}

/**
 * Reads the PCR of a packet.
 * @param at offset of the packet, which is complete.
 * @returns nothing when the packet has none, or was damaged on its way to us.
 */
export function readPcr(octets: Uint8Array, at: number): Pcr | undefined {
  const second = octets[at + 1]!;
  const adaptationField = octets[at + 3]! & 0x20;
  if (adaptationField === 0 || octets[at + 4]! < 7) return undefined;
  const flags = octets[at + 5]!;
  const transportError = second & 0x80;
  if ((flags & 0x10) === 0 || transportError !== 0) return undefined;
  const base = readUint(octets, at + 6, 4) * 2 + (octets[at + 10]! >>> 7);
  const extension = readUint(octets, at + 10, 2) & 0x1ff;
  return {
    pid: ((second & 0x1f) << 8) | octets[at + 2]!,
    ticks: base * 300 + extension,
    discontinuity: (flags & 0x80) !== 0,
  };
}

/** With so many octets {@link isTransportStream} is certain. */
export const ENOUGH_TO_DETECT = TS_PACKET * (SYNCS + 1);

/**
 * Whether a source carries a transport stream. Its first octets must have 5 sync octets in line, or all that there are
 * when the source is shorter. The first packet may be cut.
 */
export function isTransportStream(head: Uint8Array): boolean {
  for (let at = 0; at < Math.min(TS_PACKET, head.length - TS_PACKET + 1); at++) {
    let syncs = 0;
    while (syncs < SYNCS && head[at + syncs * TS_PACKET] === SYNC) syncs += 1;
    if (syncs === SYNCS || (at === 0 && syncs > 0 && syncs * TS_PACKET >= head.length)) return true;
  }
  return false;
}
