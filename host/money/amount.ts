import { InputError, OutOfRangeError } from '../../apdu/errors.ts';
import { type Currency, currencyByCode } from './currency.ts';

/** An amount with its currency, as people write it: `6.25 USD`. */
export interface Money {
  /** Micro-units. */
  readonly amount: bigint;
  readonly currency: Currency;
}

const DECIMALS = 6;
const MICRO_UNITS = 10n ** BigInt(DECIMALS);
/** The most that a u48 holds, in micro-units. */
const MAX_AMOUNT = 2n ** 48n - 1n;

/**
 * Reads an amount such as `10 USD` or `0.000001 EUR`, exactly.
 * @param max micro-units; what a u48 holds by default.
 * @throws InputError when it is not written so, has more than 6 decimals, or ISO 4217 has no such currency.
 * @throws OutOfRangeError when it is above `max`.
 */
export function parseMoney(text: string, max: bigint = MAX_AMOUNT): Money {
  const match = /^\s*(\S{1,32})\s+([A-Za-z]{3})\s*$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new InputError(`"${text.slice(0, 40)}" is not an amount; write a number and a currency, "10.00 USD"`);
  }
  const currency = currencyByCode(match[2]);
  return { amount: parseDecimal(match[1], max, currency), currency };
}

/**
 * Reads an amount whose currency is known; it may be named again.
 * @param max micro-units; what a u48 holds by default.
 * @throws InputError as {@link parseMoney} does, and when another currency is named.
 * @throws OutOfRangeError when it is above `max`.
 */
export function parseAmount(text: string, currency: Currency, max: bigint = MAX_AMOUNT): bigint {
  if (/^\s*\S{1,32}\s*$/.test(text)) return parseDecimal(text.trim(), max, currency);
  const money = parseMoney(text, max);
  if (money.currency.number !== currency.number) {
    throw new InputError(`${money.currency.code} is not the currency here; write the amount in ${currency.code}`);
  }
  return money.amount;
}

/**
 * Writes an amount with the decimals of its currency, or with more where they are not zero: `6.25 USD`,
 * `0.000018 USD`.
 * @param amount micro-units; a balance below zero is written with a minus.
 */
export function formatMoney(amount: bigint, currency: Currency): string {
  return `${formatAmount(amount, currency)} ${currency.code}`;
}

/** Writes an amount as {@link formatMoney} does, without its currency. @param amount micro-units. */
export function formatAmount(amount: bigint, currency: Currency): string {
  return formatDecimal(amount, currency.digits);
}

function parseDecimal(text: string, max: bigint, currency: Currency): bigint {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text);
  if (match?.[1] === undefined) {
    throw new InputError(
      `"${text}" is not an amount of money; write digits with at most one point and no sign, as in 10 or 0.25`,
    );
  }
  const fraction = match[2] ?? '';
  if (fraction.length > DECIMALS) {
    throw new InputError(`"${text}" has ${fraction.length} decimals; an amount has at most ${DECIMALS}`);
  }
  const amount = BigInt(match[1]) * MICRO_UNITS + BigInt(fraction.padEnd(DECIMALS, '0'));
  if (amount > max) {
    throw new OutOfRangeError(`${text} ${currency.code} is too much; at most ${formatMoney(max, currency)} here`);
  }
  return amount;
}

function formatDecimal(amount: bigint, digits: number): string {
  if (amount < 0n) return `-${formatDecimal(-amount, digits)}`;
  const fraction = (amount % MICRO_UNITS).toString().padStart(DECIMALS, '0');
  let end = DECIMALS;
  while (end > digits && fraction[end - 1] === '0') end--;
  const whole = (amount / MICRO_UNITS).toString();
  return end === 0 ? whole : `${whole}.${fraction.slice(0, end)}`;
}
