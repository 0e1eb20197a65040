import type { Values } from '../../layout/field-table.ts';
import { MARK, MARKS, PURSE_RECORD, SESSION_TOTALS } from '../../layout/money.ts';

/** What the groups of the open session came to when the record was written. */
export interface SessionTotals extends Values<typeof SESSION_TOTALS> {}

/** The highest group opened of a stream; group 0: an empty place. */
export interface Mark extends Values<typeof MARK> {}

/** A purse record of GET LOG; amounts in micro-units; `firmware-notes/protocol.md` 7.2. */
export type LogRecord = Omit<Values<typeof PURSE_RECORD>, 'openTotals' | 'marks'> & {
  readonly openTotals: SessionTotals;
  /** Oldest first. */
  readonly marks: readonly Mark[];
};

/** Reads the answer to GET LOG. @throws FormatError when it is not 176 octets, or a reserved one is not zero. */
export function parseLogRecord(octets: Uint8Array): LogRecord {
  const { openTotals, marks, ...record } = PURSE_RECORD.decode(octets);
  return {
    ...record,
    openTotals: SESSION_TOTALS.decode(openTotals),
    marks: Array.from({ length: MARKS }, (_, index) => MARK.read(marks, index * MARK.length)),
  };
}
