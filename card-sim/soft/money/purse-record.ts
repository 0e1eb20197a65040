import { allocate } from '../../../apdu/allocate.ts';
import { NO_SPEND_LIMIT } from '../../../apdu/decode-module/card-limits.ts';
import {
  type LogRecord,
  type Mark,
  parseLogRecord,
  type SessionTotals,
} from '../../../apdu/decode-module/money/log-record.ts';
import { MARK, MARKS, PURSE_RECORD, SESSION_TOTALS } from '../../../apdu/layout/money.ts';
import { NO_TICKS, readTicks, type Ticks, writeTicks } from './ticks.ts';

export const NO_TOTALS: SessionTotals = {
  octets: 0,
  duration: 0,
  groups: 0,
  firstSegment: 0,
  lastSegment: 0,
  from: 0,
  to: 0,
};

/** Amounts as numbers: below 2^48 they are exact, and cheaper than as bigint. */
type AsNumbers<Fields> = { readonly [Name in keyof Fields]: Fields[Name] extends bigint ? number : Fields[Name] };

/** The purse record (protocol 7.2). Amounts in micro-units. */
export type PurseRecord = Omit<AsNumbers<LogRecord>, 'usedAtTake'> & { readonly usedAtTake: Ticks };

const NO_MARK: Mark = { ssrc: 0, group: 0 };

/** The record of a card that has just been personalised, without a spend limit. */
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
  openTotals: NO_TOTALS,
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
  const { loadId, usedAtTake, openTotals, marks, limitLoaded, ...numbers } = record;
  const octets = allocate(PURSE_RECORD.length);
  const { at } = PURSE_RECORD;
  PURSE_RECORD.writeUints(octets, numbers);
  octets.set(loadId, at.loadId);
  writeTicks(octets, at.usedAtTake, usedAtTake);
  SESSION_TOTALS.writeUints(octets, openTotals, at.openTotals);
  marks.forEach((mark, index) => {
    MARK.writeUints(octets, mark, at.marks + index * MARK.length);
  });
  if (limitLoaded) octets[at.limitLoaded] = 1;
  return octets;
}

export function decodeRecord(octets: Uint8Array): PurseRecord {
  const record = parseLogRecord(octets);
  return {
    ...record,
    loaded: Number(record.loaded),
    spent: Number(record.spent),
    torn: Number(record.torn),
    loadAmount: Number(record.loadAmount),
    taken: Number(record.taken),
    usedAtTake: readTicks(octets, PURSE_RECORD.at.usedAtTake),
    spentOfDay: Number(record.spentOfDay),
    unacknowledged: Number(record.unacknowledged),
    creditLimit: Number(record.creditLimit),
    spendLimit: Number(record.spendLimit),
  };
}
