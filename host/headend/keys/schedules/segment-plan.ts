import { MIN_PERIOD } from './key-schedule.ts';

/** A programme, media time [from, to). */
export interface PlannedProgramme {
  readonly from: number;
  readonly to: number;
}

/**
 * The end of the segment that starts at a media time: that of the programme which is on, or the start of the next one,
 * or a segment's length on. A rest too short for a content key stays with the segment before it.
 * @param length seconds of a segment where no programme is on.
 * @returns seconds since 1970, 20 s after the start or later.
 */
export function endOfSegment(from: number, length: number, programme: readonly PlannedProgramme[]): number {
  const min = from + MIN_PERIOD;
  const current = programme.find((one) => one.from <= from && from < one.to);
  if (current !== undefined && current.to >= min) return current.to;
  const limits = programme.flatMap((one) => [one.from, one.to]).filter((time) => time >= min);
  const next = Math.min(...limits, Infinity);
  const end = from + length;
  return end + MIN_PERIOD > next ? next : end;
}
