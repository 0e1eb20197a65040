import { findLayout, isUnitStart, type PictureKind, readPid, readTsPayload, TS_PACKET, TsTables } from './ts-tables.ts';

/** Where a player can begin. */
export interface PictureEntry {
  /** Octets of the payload in front of it. */
  readonly offset: number;
  /** Packets of the tables, which the player needs first. */
  readonly tables: Uint8Array;
}

/** Follows a transport stream, and finds where a player can begin to show it. */
export class PictureTracker {
  readonly #tables = new TsTables();

  /** The tables so far, for a player that has waited for too long. */
  get tables(): Uint8Array {
    return this.#tables.packets;
  }

  /**
   * Looks through payloads that follow those before.
   * @returns the first entry in them; `anywhere` when they are not of a format that has entries.
   */
  findEntry(payload: Uint8Array): PictureEntry | 'anywhere' | undefined {
    const layout = findLayout(payload);
    if (layout === undefined) return 'anywhere';
    let found: PictureEntry | undefined;
    for (let offset = 0; offset < payload.length; offset += layout.length) {
      const whole = payload.subarray(offset, offset + layout.length);
      const packet = whole.subarray(layout.lead, layout.lead + TS_PACKET);
      const pid = readPid(packet);
      const { entry } = this.#tables;
      if (found === undefined && entry?.pid === pid && isUnitStart(packet) && isEntry(packet, entry.picture)) {
        found = { offset, tables: this.#tables.packets };
      }
      this.#tables.add(packet, pid, whole);
    }
    return found;
  }
}

/** Whether the unit that starts in a packet can be shown without those before it. */
function isEntry(packet: Uint8Array, picture: PictureKind | undefined): boolean {
  if (picture === undefined) return true;
  // ISO/IEC 13818-1 2.4.3.5: the random access indicator.
  const hasAdaptation = (packet[3]! & 0x20) !== 0 && packet[4]! > 0;
  if (hasAdaptation && (packet[5]! & 0x40) !== 0) return true;
  return hasEntryUnit(readTsPayload(packet), picture);
}

/** Whether one of the start codes in these octets begins what a decoder starts from. */
function hasEntryUnit(octets: Uint8Array, picture: PictureKind): boolean {
  for (let at = 0; at + 3 < octets.length; at++) {
    if (octets[at] !== 0 || octets[at + 1] !== 0 || octets[at + 2] !== 1) continue;
    if (ENTRY_UNITS[picture](octets[at + 3]!)) return true;
  }
  return false;
}

/** By the octet after the start code: sequence headers, parameter sets and pictures that need no other. */
const ENTRY_UNITS: Record<PictureKind, (code: number) => boolean> = {
  // ISO/IEC 13818-2 6.2.1: sequence_header_code.
  mpeg2: (code) => code === 0xb3,
  // ISO/IEC 14496-10 table 7-1: a sequence parameter set or an IDR picture.
  h264: (code) => (code & 0x80) === 0 && ((code & 0x1f) === 7 || (code & 0x1f) === 5),
  // ISO/IEC 23008-2 table 7-1: a video parameter set, or IDR and CRA pictures.
  h265: (code) => [19, 20, 21, 32].includes((code >>> 1) & 0x3f),
  other: () => false,
};
