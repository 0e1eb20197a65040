import { OutOfRangeError } from '../../../apdu/errors.ts';

/** @returns a parser, as commander calls it, for a whole number within a range. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => parseWithin(text, /^\d{1,16}$/, min, max, 'a whole number');
}

/** @returns a parser, as commander calls it, for a number within a range; it may have decimals. */
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
