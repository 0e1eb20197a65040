import { allocate } from '../../../apdu/allocate.ts';
import { readUint, writeUint } from '../../../apdu/octets.ts';
import { NO_SPEND_LIMIT } from '../../../apdu/decode-module/card-limits.ts';
import { NO_TICKS, readTicks, type Ticks, writeTicks } from './ticks.ts';

/** What the groups of a session come to, beside the money. */
export interface SessionTotals {
  readonly octets: number;
  /** ms. */
  readonly duration: number;
  readonly groups: number;
  readonly firstSegment: number;
  readonly lastSegment: number;
  /** Media time of the first and the newest group. */
  readonly from: number;
  readonly to: number;
}

export const NO_TOTALS: SessionTotals = {
  octets: 0,
  duration: 0,
  groups: 0,
  firstSegment: 0,
  lastSegment: 0,
  from: 0,
  to: 0,
};

/** The highest group opened of a stream; group 0: an empty place. */
export interface Mark {
  readonly ssrc: number;
  readonly group: number;
}

const MARKS = 4;

/** The purse record; `firmware-notes/protocol.md` 7.2. Amounts in micro-units, all below 2^48 and so exact in a number. */
export interface PurseRecord {
  readonly sequence: number;
  readonly loaded: number;
  readonly spent: number;
  readonly torn: number;
  readonly loadNumber: number;
  /** 8 octets. */
  readonly loadId: Uint8Array;
  readonly loadAmount: number;
  readonly session: number;
  readonly service: number;
  readonly taken: number;
  readonly usedAtTake: Ticks;
  readonly open: SessionTotals;
  readonly lastFlatService: number;
  readonly lastFlatSegment: number;
  /** Days of media time since 1970. */
  readonly day: number;
  /** Taken on that day. */
  readonly spentOfDay: number;
  readonly receiptsWritten: number;
  readonly receiptsAcknowledged: number;
  readonly unacknowledged: number;
  /** Oldest first. */
  readonly marks: readonly Mark[];
  readonly creditLimit: number;
  readonly spendLimit: number;
  /** The last load set the credit limit. */
  readonly limitLoaded: boolean;
}

export const RECORD_LENGTH = 176;

const NO_MARK: Mark = { ssrc: 0, group: 0 };

/** The record of a card that has just become active, without a spend limit. */
export const FIRST_RECORD: PurseRecord = {
  sequence: 1,
  loaded: 0,
  spent: 0,
  torn: 0,
  loadNumber: 0,
  loadId: new Uint8Array(8),
  loadAmount: 0,
  session: 0,
  service: 0,
  taken: 0,
  usedAtTake: NO_TICKS,
  open: NO_TOTALS,
  lastFlatService: 0,
  lastFlatSegment: 0,
  day: 0,
  spentOfDay: 0,
  receiptsWritten: 0,
  receiptsAcknowledged: 0,
  unacknowledged: 0,
  marks: Array.from({ length: MARKS }, () => NO_MARK),
  creditLimit: 0,
  spendLimit: NO_SPEND_LIMIT,
  limitLoaded: false,
};

export function encodeRecord(record: PurseRecord): Uint8Array {
  const octets = allocate(RECORD_LENGTH);
  writeUint(octets, 0, 4, record.sequence);
  writeUint(octets, 4, 6, record.loaded);
  writeUint(octets, 10, 6, record.spent);
  writeUint(octets, 16, 6, record.torn);
  writeUint(octets, 22, 4, record.loadNumber);
  octets.set(record.loadId, 26);
  writeUint(octets, 34, 6, record.loadAmount);
  writeUint(octets, 40, 4, record.session);
  writeUint(octets, 44, 4, record.service);
  writeUint(octets, 48, 6, record.taken);
  writeTicks(octets, 54, record.usedAtTake);
  writeUint(octets, 62, 6, record.open.octets);
  writeUint(octets, 68, 6, record.open.duration);
  writeUint(octets, 74, 4, record.open.groups);
  writeUint(octets, 78, 4, record.open.firstSegment);
  writeUint(octets, 82, 4, record.open.lastSegment);
  writeUint(octets, 86, 4, record.open.from);
  writeUint(octets, 90, 4, record.open.to);
  writeUint(octets, 94, 4, record.lastFlatService);
  writeUint(octets, 98, 4, record.lastFlatSegment);
  writeUint(octets, 102, 2, record.day);
  writeUint(octets, 104, 6, record.spentOfDay);
  writeUint(octets, 110, 4, record.receiptsWritten);
  writeUint(octets, 114, 4, record.receiptsAcknowledged);
  writeUint(octets, 118, 6, record.unacknowledged);
  record.marks.forEach((mark, index) => {
    writeUint(octets, 124 + 8 * index, 4, mark.ssrc);
    writeUint(octets, 128 + 8 * index, 4, mark.group);
  });
  writeUint(octets, 156, 6, record.creditLimit);
  writeUint(octets, 162, 6, record.spendLimit);
  octets[168] = record.limitLoaded ? 1 : 0;
  return octets;
}

export function decodeRecord(octets: Uint8Array): PurseRecord {
  return {
    sequence: readUint(octets, 0, 4),
    loaded: readUint(octets, 4, 6),
    spent: readUint(octets, 10, 6),
    torn: readUint(octets, 16, 6),
    loadNumber: readUint(octets, 22, 4),
    loadId: octets.slice(26, 34),
    loadAmount: readUint(octets, 34, 6),
    session: readUint(octets, 40, 4),
    service: readUint(octets, 44, 4),
    taken: readUint(octets, 48, 6),
    usedAtTake: readTicks(octets, 54),
    open: {
      octets: readUint(octets, 62, 6),
      duration: readUint(octets, 68, 6),
      groups: readUint(octets, 74, 4),
      firstSegment: readUint(octets, 78, 4),
      lastSegment: readUint(octets, 82, 4),
      from: readUint(octets, 86, 4),
      to: readUint(octets, 90, 4),
    },
    lastFlatService: readUint(octets, 94, 4),
    lastFlatSegment: readUint(octets, 98, 4),
    day: readUint(octets, 102, 2),
    spentOfDay: readUint(octets, 104, 6),
    receiptsWritten: readUint(octets, 110, 4),
    receiptsAcknowledged: readUint(octets, 114, 4),
    unacknowledged: readUint(octets, 118, 6),
    marks: Array.from({ length: MARKS }, (_, index) => ({
      ssrc: readUint(octets, 124 + 8 * index, 4),
      group: readUint(octets, 128 + 8 * index, 4),
    })),
    creditLimit: readUint(octets, 156, 6),
    spendLimit: readUint(octets, 162, 6),
    limitLoaded: octets[168] === 1,
  };
}
