import { OutOfRangeError } from '../../../apdu/errors.ts';

/** Reads a whole number after an option, as commander calls it. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => parseWithin(text, /^\d{1,16}$/, min, max, 'a whole number');
}

/** Reads a number that may have decimals. */
export function decimalNumber(min: number, max: number): (text: string) => number {
  return (text) => parseWithin(text, /^\d{1,16}(?:\.\d{1,9})?$/, min, max, 'a number');
}

function parseWithin(text: string, pattern: RegExp, min: number, max: number, kind: string): number {
  const value = Number(text);
  if (!pattern.test(text) || value < min || value > max) {
    throw new OutOfRangeError(`"${text.slice(0, 40)}" does not fit; write ${kind} from ${min} to ${max}`);
  }
  return value;
}
