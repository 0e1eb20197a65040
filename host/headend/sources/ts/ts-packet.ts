import { readUint } from '../../../../apdu/octets.ts';

/** Octets of an MPEG-TS packet, ISO/IEC 13818-1 2.4.3. */
export const TS_PACKET = 188;

/** How the packets of a transport stream lie in a source. */
export interface TsLayout {
  /** Octets from one packet to the next. */
  readonly length: number;
  /** Octets in front of the sync octet. */
  readonly lead: number;
}

export const TS_FORMATS = ['ts', 'ts-192', 'ts-204'] as const;
/** A transport stream by the layout of its packets. */
export type TsFormat = (typeof TS_FORMATS)[number];

/** The layouts that there are. */
export const TS_LAYOUTS = {
  ts: { length: TS_PACKET, lead: 0 },
  /** With the time of arrival in front of each packet, as in .m2ts files. */
  'ts-192': { length: 192, lead: 4 },
  /** With 16 octets of Reed-Solomon parity behind each packet. */
  'ts-204': { length: 204, lead: 0 },
} as const satisfies Record<TsFormat, TsLayout>;

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
export function startsTsPacket(octets: Uint8Array, at: number, inLine: boolean, layout: TsLayout): boolean {
  const sync = at + layout.lead;
  return octets[sync] === SYNC && (inLine || octets[sync + layout.length] === SYNC);
}

/**
 * Reads the PCR of a packet.
 * @param at offset of its sync octet; the packet is complete.
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

/** With so many octets {@link detectTsFormat} is certain of a stream that starts with them. */
export const ENOUGH_FOR_TS = TS_LAYOUTS['ts-204'].length * (SYNCS + 1);

/**
 * Detects a transport stream by 5 sync octets in line, or all that there are when the source is shorter.
 * @param maxJunk octets that may stand in front of the first whole packet.
 */
export function detectTsFormat(head: Uint8Array, maxJunk: number): TsFormat | undefined {
  for (let at = 0; at <= Math.min(maxJunk, head.length - TS_PACKET); at++) {
    for (const format of TS_FORMATS) {
      const { length, lead } = TS_LAYOUTS[format];
      let syncs = 0;
      while (syncs < SYNCS && head[at + lead + syncs * length] === SYNC) syncs += 1;
      if (syncs === SYNCS || (at === 0 && syncs > 0 && syncs * length >= head.length)) return format;
    }
  }
  return undefined;
}
