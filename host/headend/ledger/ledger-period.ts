import { InputError } from '../../../apdu/errors.ts';

/** A month of the ledger, by UTC: `2026-11`. Later ones are greater, as text. */
export type LedgerPeriod = `${number}-${number}`;

const FORM = /^\d{4}-(?:0[1-9]|1[0-2])$/;

/** @param at seconds since 1970. */
export function periodOf(at: number): LedgerPeriod {
  return parsePeriod(new Date(at * 1000).toISOString().slice(0, 7));
}

/** @throws InputError when it is not a month. */
export function parsePeriod(text: string): LedgerPeriod {
  if (!isPeriod(text)) throw new InputError(`"${text.slice(0, 20)}" is not a month; write it as 2026-11`);
  return text;
}

/** When a month begins. @returns seconds since 1970. */
export function startOfPeriod(period: LedgerPeriod): number {
  return Date.parse(`${period}-01T00:00:00Z`) / 1000;
}

export function nextPeriod(period: LedgerPeriod): LedgerPeriod {
  // No month has more than 31 days, and none fewer than 28.
  return periodOf(startOfPeriod(period) + 31 * 86_400);
}

function isPeriod(text: string): text is LedgerPeriod {
  return FORM.test(text);
}
