import type { Tariff, TariffKind } from '../../apdu/decode-module/money/tariff.ts';
import { InputError } from '../../apdu/errors.ts';
import { formatMoney, parseAmount } from './amount.ts';
import { type Currency, currencyByCode } from './currency.ts';

/** A tariff with its currency; a free tariff has none. */
export interface Price {
  readonly tariff: Tariff;
  readonly currency?: Currency;
}

/** The most that a u32 holds, in micro-units. */
const MAX_PRICE = 2n ** 32n - 1n;

const UNITS: ReadonlyMap<string, TariffKind> = new Map([
  ['MB', 'octets'],
  ['h', 'duration'],
  ['segment', 'flat'],
]);

/**
 * Reads a price: `0.25 USD/MB` (1,000,000 octets), `2.00 USD/h`, `1.50 USD/segment` or `free`.
 * @throws InputError when it is not written so.
 * @throws OutOfRangeError when it is above 4294.967295, the most that a u32 holds.
 */
export function parsePrice(text: string): Price {
  if (text.trim() === 'free') return { tariff: { kind: 'free', price: 0n } };
  const match = /^\s*(\S{1,32})\s+([A-Za-z]{3})\/(\w{1,16})\s*$/.exec(text);
  const kind = UNITS.get(match?.[3] ?? '');
  if (match?.[1] === undefined || match[2] === undefined || kind === undefined) {
    throw new InputError(
      `"${text.slice(0, 40)}" is not a price; write "0.25 USD/MB", "2.00 USD/h", "1.50 USD/segment" or "free"`,
    );
  }
  const currency = currencyByCode(match[2]);
  return { tariff: { kind, price: parseAmount(match[1], currency, MAX_PRICE) }, currency };
}

/** Writes a price as {@link parsePrice} reads it. */
export function formatPrice({ tariff, currency }: Price): string {
  if (tariff.kind === 'free' || currency === undefined) return 'free';
  const unit = [...UNITS].find(([, kind]) => kind === tariff.kind)?.[0];
  return `${formatMoney(tariff.price, currency)}/${unit}`;
}
