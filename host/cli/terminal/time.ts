import { InputError } from '../../../apdu/errors.ts';

const DAY = 86_400;
const MAX_U32 = 0xffff_ffff;

/** The time of this machine, in seconds since 1970. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}

/** Writes a time as people and programs read it: 2026-12-31T20:00:00Z. @param seconds since 1970. */
export function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

/** Writes a day: 2026-12-31. @param day since 1970. */
export function formatDay(day: number): string {
  return formatTime(day * DAY).slice(0, 10);
}

/** Reads a time as {@link formatTime} writes it, or a day. @returns seconds since 1970, a u32. @throws InputError */
export function parseTime(text: string): number {
  const seconds = Math.floor(Date.parse(text) / 1000);
  const isWritten = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$/.test(text);
  if (isWritten && seconds >= 0 && seconds <= MAX_U32) return seconds;
  throw new InputError(`"${text.slice(0, 40)}" is not a time; write it as in 2026-12-31T20:00:00Z`);
}
