import { chargeAfterFiveMinutes } from './after-five-minutes.ts';
import type { ChargingScheme, ClosedEntry } from './charging-scheme.ts';

const SCHEMES = new Map<string, ChargingScheme>([['after-five-minutes', chargeAfterFiveMinutes]]);

/** Adds a scheme under the name that configurations of services call it by. */
export function addScheme(name: string, scheme: ChargingScheme): void {
  SCHEMES.set(name, scheme);
}

export function schemeNames(): readonly string[] {
  return [...SCHEMES.keys()];
}

/** Applies a scheme. @throws RangeError when none has this name. */
export function applyScheme(name: string, entry: ClosedEntry): bigint {
  const scheme = SCHEMES.get(name);
  if (scheme === undefined) throw new RangeError(`no scheme is called ${name}; add it before the head-end starts`);
  const amount = scheme(entry);
  if (amount < 0n) return 0n;
  return amount < entry.charge ? amount : entry.charge;
}
