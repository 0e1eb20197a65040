import { currencies, getCurrencyByNumeric } from 'countries-list/currencies';
import { FormatError, InputError } from '../../apdu/errors.ts';

/** A currency of ISO 4217. */
export interface Currency {
  /** Three capital letters. */
  readonly code: string;
  /** The number that cards and messages carry, 1 to 999. */
  readonly number: number;
  /** Amounts are written with this many decimals or more; 0 to 4. */
  readonly digits: number;
}

/** @throws InputError when ISO 4217 has no such code, or has withdrawn it. */
export function currencyByCode(code: string): Currency {
  const wanted = code.toUpperCase();
  const entry = Object.entries(currencies).find(([known]) => known === wanted)?.[1];
  if (entry === undefined || entry.withdrawn === true) {
    throw new InputError(`"${code.slice(0, 10)}" is not a currency of ISO 4217; write a code such as USD, EUR or JPY`);
  }
  return { code: wanted, number: Number(entry.numeric), digits: entry.decimals };
}

/** @throws FormatError when ISO 4217 has no such number; a blank card has number 0. */
export function currencyByNumber(number: number): Currency {
  const entry = getCurrencyByNumeric(number);
  if (entry === undefined) {
    throw new FormatError(`ISO 4217 has no currency ${number}; the card was not personalised by this version`);
  }
  return { code: entry.code, number, digits: entry.decimals };
}
