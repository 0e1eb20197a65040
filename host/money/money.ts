import { FormatError, OutOfRangeError } from '../../apdu/errors.ts';
import type { Tariff, TariffKind } from '../../apdu/decode-module/money/tariff.ts';
import { type Currency, currencyByCode } from './currency.ts';

/** An amount with its currency, as people write it: `6.25 USD`. */
export interface Money {
  /** Micro-units. */
  readonly amount: bigint;
  readonly currency: Currency;
}

/** A tariff with the currency that it is in; what is free has none. */
export interface Price {
  readonly tariff: Tariff;
  readonly currency?: Currency;
}

const DECIMALS = 6;
const MICRO_UNITS = 10n ** BigInt(DECIMALS);
/** The most that a u48 amount holds. */
const MOST_AMOUNT = 2n ** 48n - 1n;
/** The most that a u32 price holds. */
const MOST_PRICE = 2n ** 32n - 1n;

const UNITS: ReadonlyMap<string, TariffKind> = new Map([
  ['MB', 'octets'],
  ['h', 'duration'],
  ['segment', 'flat'],
]);

/**
 * Reads an amount such as `10 USD` or `0.000001 EUR`, exactly.
 * @param most micro-units; a u48 by default.
 * @throws FormatError when it is not written so, has more than 6 decimals, or ISO 4217 has no such currency.
 * @throws OutOfRangeError when it is above `most`.
 */
export function parseMoney(text: string, most: bigint = MOST_AMOUNT): Money {
  const match = /^\s*(\S{1,32})\s+([A-Za-z]{3})\s*$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new FormatError(`"${text.slice(0, 40)}" is no amount; write a number and a currency, "10.00 USD"`);
  }
  const currency = currencyByCode(match[2]);
  return { amount: parseDecimal(match[1], most, currency), currency };
}

/**
 * Reads an amount whose currency is known; it may be named again.
 * @param most micro-units; a u48 by default.
 * @throws FormatError as {@link parseMoney} does, and when another currency is named.
 * @throws OutOfRangeError when it is above `most`.
 */
export function parseAmount(text: string, currency: Currency, most: bigint = MOST_AMOUNT): bigint {
  if (/^\s*\S{1,32}\s*$/.test(text)) return parseDecimal(text.trim(), most, currency);
  const money = parseMoney(text, most);
  if (money.currency.number !== currency.number) {
    throw new FormatError(`${money.currency.code} is not the currency here; write the amount in ${currency.code}`);
  }
  return money.amount;
}

/**
 * Writes an amount with the decimals of its currency, and those below as far as they are not zero: `6.25 USD`, `0.000018 USD`.
 * @param amount micro-units; a balance below zero is written with a minus.
 */
export function formatMoney(amount: bigint, currency: Currency): string {
  return `${formatDecimal(amount, currency.digits)} ${currency.code}`;
}

/**
 * Reads a price: `0.25 USD/MB` (1,000,000 octets), `2.00 USD/h`, `1.50 USD/segment` or `free`.
 * @throws FormatError when it is not written so.
 * @throws OutOfRangeError when it is above 4294.967295, the most that a u32 holds.
 */
export function parsePrice(text: string): Price {
  if (text.trim() === 'free') return { tariff: { kind: 'free', price: 0n } };
  const match = /^\s*(\S{1,32})\s+([A-Za-z]{3})\/(\w{1,16})\s*$/.exec(text);
  const kind = UNITS.get(match?.[3] ?? '');
  if (match?.[1] === undefined || match[2] === undefined || kind === undefined) {
    throw new FormatError(
      `"${text.slice(0, 40)}" is no price; write "0.25 USD/MB", "2.00 USD/h", "1.50 USD/segment" or "free"`,
    );
  }
  const currency = currencyByCode(match[2]);
  return { tariff: { kind, price: parseDecimal(match[1], MOST_PRICE, currency) }, currency };
}

/** Writes a price as {@link parsePrice} reads it. */
export function formatPrice({ tariff, currency }: Price): string {
  if (tariff.kind === 'free' || currency === undefined) return 'free';
  const unit = [...UNITS].find(([, kind]) => kind === tariff.kind)?.[0];
  return `${formatMoney(tariff.price, currency)}/${unit}`;
}

function parseDecimal(text: string, most: bigint, currency: Currency): bigint {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text);
  if (match?.[1] === undefined) {
    throw new FormatError(
      `"${text}" is no amount of money; write digits with at most one point, nothing negative, as in 10 or 0.25`,
    );
  }
  const fraction = match[2] ?? '';
  if (fraction.length > DECIMALS) {
    throw new FormatError(`"${text}" has ${fraction.length} decimals; an amount has at most ${DECIMALS}`);
  }
  const amount = BigInt(match[1]) * MICRO_UNITS + BigInt(fraction.padEnd(DECIMALS, '0'));
  if (amount > most) {
    throw new OutOfRangeError(`${text} ${currency.code} is too much; at most ${formatMoney(most, currency)} here`);
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
