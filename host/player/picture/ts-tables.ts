import { concat, readUint } from '../../../apdu/octets.ts';

/** Octets of an MPEG-TS packet, ISO/IEC 13818-1 2.4.3. */
export const TS_PACKET = 188;
const SYNC = 0x47;
const PAT_PID = 0;
const PAT = 0x00;
const PMT = 0x02;
/** Packets of a table at most. */
const MAX_TABLE_PACKETS = 6;

/** Kinds of picture by their stream type, ISO/IEC 13818-1 table 2-34. */
const PICTURES: ReadonlyMap<number, PictureKind> = new Map([
  [0x01, 'mpeg2'],
  [0x02, 'mpeg2'],
  [0x1b, 'h264'],
  [0x24, 'h265'],
]);
/** Other kinds of picture: only the random access indicator tells where one can be entered. */
const OTHER_PICTURES: ReadonlySet<number> = new Set([0x10, 0x20, 0x33, 0x42, 0xd1, 0xea]);

export type PictureKind = 'mpeg2' | 'h264' | 'h265' | 'other';

/** The elementary stream by which a programme is entered. */
export interface EntryStream {
  readonly pid: number;
  /** Undefined for sound alone: each of its units is an entry. */
  readonly picture: PictureKind | undefined;
}

/** How packets lie in payloads: octets from one to the next, and in front of the sync octet of each. */
export interface PacketLayout {
  readonly length: number;
  readonly lead: number;
}
/** As they are, with the time of arrival in front, as in .m2ts files, and with 16 octets of parity behind. */
const LAYOUTS: readonly PacketLayout[] = [
  { length: TS_PACKET, lead: 0 },
  { length: 192, lead: 4 },
  { length: 204, lead: 0 },
];

/** How the packets of a transport stream lie in payloads; undefined when these are no such packets. */
export function findLayout(payload: Uint8Array): PacketLayout | undefined {
  return payload.length === 0 ? undefined : LAYOUTS.find((layout) => fitsLayout(payload, layout));
}

function fitsLayout(payload: Uint8Array, { length, lead }: PacketLayout): boolean {
  if (payload.length % length !== 0) return false;
  for (let at = lead; at < payload.length; at += length) if (payload[at] !== SYNC) return false;
  return true;
}

export function readPid(packet: Uint8Array): number {
  return readUint(packet, 1, 2) & 0x1fff;
}

/** Whether a unit, a table or a picture, starts in a packet. */
export function isUnitStart(packet: Uint8Array): boolean {
  return (packet[1]! & 0x40) !== 0;
}

/** What a packet carries after its header and adaptation field; empty when it carries nothing. */
export function readTsPayload(packet: Uint8Array): Uint8Array {
  const control = packet[3]! & 0x30;
  if ((control & 0x10) === 0) return packet.subarray(TS_PACKET);
  return packet.subarray(control === 0x30 ? Math.min(5 + packet[4]!, TS_PACKET) : 4);
}

/** Keeps the tables of a transport stream that a player needs first, as they came: PAT and PMT of its first programme. */
export class TsTables {
  #pat: Uint8Array | undefined;
  #pmtPid: number | undefined;
  #pmt: Uint8Array[] = [];
  /** Of the programme; undefined while its tables have not come. */
  entry: EntryStream | undefined;

  /** The packets of both tables, end to end. */
  get packets(): Uint8Array {
    return this.#pat === undefined ? new Uint8Array() : concat(this.#pat, ...this.#pmt);
  }

  /** Takes a packet in; what is kept of it is copied. @param whole with what its layout has around it. */
  add(packet: Uint8Array, pid: number, whole = packet): void {
    if (pid === PAT_PID) this.#addPat(packet, whole);
    else if (pid === this.#pmtPid) this.#addPmt(packet, whole);
  }

  /** ISO/IEC 13818-1 2.4.4.3. */
  #addPat(packet: Uint8Array, whole: Uint8Array): void {
    const section = startSection(packet, PAT);
    if (section === undefined) return;
    for (let at = 8; at + 4 <= section.length; at += 4) {
      if (readUint(section, at, 2) === 0) continue;
      const pid = readUint(section, at + 2, 2) & 0x1fff;
      if (pid !== this.#pmtPid) {
        this.#pmt = [];
        this.entry = undefined;
      }
      this.#pat = whole.slice();
      this.#pmtPid = pid;
      return;
    }
  }

  /** ISO/IEC 13818-1 2.4.4.8. */
  #addPmt(packet: Uint8Array, whole: Uint8Array): void {
    const section = startSection(packet, PMT);
    if (section === undefined) {
      if (!isUnitStart(packet) && this.#pmt.length > 0 && this.#pmt.length < MAX_TABLE_PACKETS) {
        this.#pmt.push(whole.slice());
      }
      return;
    }
    this.#pmt = [whole.slice()];
    this.entry = findEntry(section) ?? this.entry;
  }
}

/** The section that starts in a packet, as far as it is in it and without its CRC; undefined when none does. */
function startSection(packet: Uint8Array, table: number): Uint8Array | undefined {
  if (!isUnitStart(packet)) return undefined;
  const payload = readTsPayload(packet);
  const section = payload.subarray(1 + (payload[0] ?? 0));
  if (section.length < 12 || section[0] !== table) return undefined;
  const end = 3 + (readUint(section, 1, 2) & 0x0fff) - 4;
  return section.subarray(0, Math.max(0, Math.min(end, section.length)));
}

/** The picture of a programme, or else its first stream. */
function findEntry(section: Uint8Array): EntryStream | undefined {
  let first: EntryStream | undefined;
  for (let at = 12 + (readUint(section, 10, 2) & 0x0fff); at + 5 <= section.length;) {
    const type = section[at]!;
    const pid = readUint(section, at + 1, 2) & 0x1fff;
    const picture = PICTURES.get(type) ?? (OTHER_PICTURES.has(type) ? 'other' : undefined);
    if (picture !== undefined) return { pid, picture };
    first ??= { pid, picture };
    at += 5 + (readUint(section, at + 3, 2) & 0x0fff);
  }
  return first;
}
