import { NO_SPEND_LIMIT } from '../../apdu/decode-module/card-limits.ts';
import { formatMoney, parseAmount } from './amount.ts';
import type { Currency } from './currency.ts';

/**
 * Reads the most that is taken on one day of the stream: an amount, or `none`.
 * @returns micro-units, `NO_SPEND_LIMIT` for none.
 * @throws InputError, OutOfRangeError as `parseAmount` does.
 */
export function parseSpendLimit(text: string, currency: Currency): bigint {
  return text === 'none' ? BigInt(NO_SPEND_LIMIT) : parseAmount(text, currency);
}

/** Writes a spend limit as {@link parseSpendLimit} reads it. @param limit micro-units. */
export function formatSpendLimit(limit: bigint, currency: Currency): string {
  return hasSpendLimit(limit) ? formatMoney(limit, currency) : 'none';
}

/** Whether these micro-units are a limit, and not the value that stands for none. */
export function hasSpendLimit(limit: bigint): boolean {
  return limit !== BigInt(NO_SPEND_LIMIT);
}
