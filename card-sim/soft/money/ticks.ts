import { writeUint } from '../../../apdu/octets.ts';

/** Ticks of one micro-unit (protocol 7.1). */
export const TICKS = 18_000_000;

/**
 * A sum of ticks as whole micro-units and the ticks left over, both exact integers below 2^53: the u64 of the page
 * without BigInt.
 */
export interface Ticks {
  readonly units: number;
  /** 0 to 17,999,999. */
  readonly rest: number;
}

export const NO_TICKS: Ticks = { units: 0, rest: 0 };

export function addTicks(a: Ticks, b: Ticks): Ticks {
  const rest = a.rest + b.rest;
  return rest < TICKS ? { units: a.units + b.units, rest } : { units: a.units + b.units + 1, rest: rest - TICKS };
}

/** The amount that the ticks come to, in micro-units, rounded up. */
export function amountOfTicks(ticks: Ticks): number {
  return ticks.rest === 0 ? ticks.units : ticks.units + 1;
}

const LOW = 2 ** 24;
const MEGABYTE = 1_000_000;
const HOUR = 3_600_000;

/** The ticks of octets x price x 18. @param octets u24. @param price u32, micro-units per 1,000,000 octets. */
export function ticksOfOctets(octets: number, price: number): Ticks {
  // price = whole x 10^6 + part: octets x part stays below 2^44.
  const part = price % MEGABYTE;
  const product = octets * part;
  const rest = product % MEGABYTE;
  return { units: octets * ((price - part) / MEGABYTE) + (product - rest) / MEGABYTE, rest: rest * (TICKS / MEGABYTE) };
}

/** The ticks of duration x price x 5. @param duration u24, ms. @param price u32, micro-units per 3,600,000 ms. */
export function ticksOfDuration(duration: number, price: number): Ticks {
  const part = price % HOUR;
  const product = duration * part;
  const rest = product % HOUR;
  return { units: duration * ((price - part) / HOUR) + (product - rest) / HOUR, rest: rest * (TICKS / HOUR) };
}

/** Writes ticks as u64. */
export function writeTicks(octets: Uint8Array, at: number, ticks: Ticks): void {
  // units = high x 2^24 + low: both products stay below 2^49.
  const low = (ticks.units % LOW) * TICKS + ticks.rest;
  const high = Math.floor(ticks.units / LOW) * TICKS + Math.floor(low / LOW);
  writeUint(octets, at, 5, high);
  writeUint(octets, at + 5, 3, low);
}

/** Reads ticks from u64. */
export function readTicks(octets: Uint8Array, at: number): Ticks {
  let value = 0n;
  for (let i = at; i < at + 8; i++) value = (value << 8n) | BigInt(octets[i] ?? 0);
  return { units: Number(value / BigInt(TICKS)), rest: Number(value % BigInt(TICKS)) };
}
