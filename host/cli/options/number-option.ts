import { OutOfRangeError } from '../../../apdu/errors.ts';

/** Reads a whole number after an option, as commander calls it. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => within(text, /^\d{1,16}$/, least, most, 'a whole number');
}

/** Reads a number that may have decimals. */
export function decimalNumber(least: number, most: number): (text: string) => number {
  return (text) => within(text, /^\d{1,16}(?:\.\d{1,9})?$/, least, most, 'a number');
}

function within(text: string, pattern: RegExp, least: number, most: number, kind: string): number {
  const value = Number(text);
  if (!pattern.test(text) || value < least || value > most) {
    throw new OutOfRangeError(`"${text.slice(0, 40)}" does not fit; write ${kind} from ${least} to ${most}`);
  }
  return value;
}
