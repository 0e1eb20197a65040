import { currencies } from 'countries-list/currencies';
import fc from 'fast-check';
import { type Currency, currencyByCode } from '../../host/money/currency.ts';

/** The codes of ISO 4217 that are in use. */
export const CODES: readonly string[] = Object.entries(currencies)
  .filter(([, entry]) => entry.withdrawn !== true)
  .map(([code]) => code);

/** The currencies in use by the number of their decimals: 0, 2, 3 and 4. */
export const BY_DIGITS: ReadonlyMap<number, readonly Currency[]> = Map.groupBy(
  CODES.map(currencyByCode),
  ({ digits }) => digits,
);

/** Any currency with this many decimals. */
export function makeCurrency(digits: number): fc.Arbitrary<Currency> {
  return fc.constantFrom(...(BY_DIGITS.get(digits) ?? []));
}
