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

/** Writes a record. It is written at every take, so it names its fields: that is faster than a walk over the table. */
export function encodeRecord(record: PurseRecord): Uint8Array {
  const octets = allocate(PURSE_RECORD.length);
  const { at } = PURSE_RECORD;
  PURSE_RECORD.writeUint(octets, 'sequence', record.sequence);
  PURSE_RECORD.writeUint(octets, 'loaded', record.loaded);
  PURSE_RECORD.writeUint(octets, 'spent', record.spent);
  PURSE_RECORD.writeUint(octets, 'torn', record.torn);
  PURSE_RECORD.writeUint(octets, 'loadNumber', record.loadNumber);
  octets.set(record.loadId, at.loadId);
  PURSE_RECORD.writeUint(octets, 'loadAmount', record.loadAmount);
  PURSE_RECORD.writeUint(octets, 'session', record.session);
  PURSE_RECORD.writeUint(octets, 'service', record.service);
  PURSE_RECORD.writeUint(octets, 'taken', record.taken);
  writeTicks(octets, at.usedAtTake, record.usedAtTake);
  SESSION_TOTALS.writeUints(octets, record.openTotals, at.openTotals);
  PURSE_RECORD.writeUint(octets, 'lastFlatService', record.lastFlatService);
  PURSE_RECORD.writeUint(octets, 'lastFlatSegment', record.lastFlatSegment);
  PURSE_RECORD.writeUint(octets, 'day', record.day);
  PURSE_RECORD.writeUint(octets, 'spentOfDay', record.spentOfDay);
  PURSE_RECORD.writeUint(octets, 'receiptsWritten', record.receiptsWritten);
  PURSE_RECORD.writeUint(octets, 'receiptsAcknowledged', record.receiptsAcknowledged);
  PURSE_RECORD.writeUint(octets, 'unacknowledged', record.unacknowledged);
  record.marks.forEach(({ ssrc, group }, index) => {
    const mark = at.marks + index * MARK.length;
    MARK.writeUint(octets, 'ssrc', ssrc, mark);
    MARK.writeUint(octets, 'group', group, mark);
  });
  PURSE_RECORD.writeUint(octets, 'creditLimit', record.creditLimit);
  PURSE_RECORD.writeUint(octets, 'spendLimit', record.spendLimit);
  if (record.limitLoaded) octets[at.limitLoaded] = 1;
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
