import { TollcastError } from '../../../../apdu/errors.ts';
import { chargeAfterFiveMinutes } from './after-five-minutes.ts';
import type { ChargingScheme, ClosedEntry } from './charging-scheme.ts';

interface KnownScheme {
  readonly scheme: ChargingScheme;
  /** Where it is from, for what is told of it. */
  readonly origin: string;
}

/** Their names are nobody else's. */
export const SHIPPED_SCHEMES: ReadonlyMap<string, KnownScheme> = new Map([
  ['after-five-minutes', { scheme: chargeAfterFiveMinutes, origin: 'a scheme of this program' }],
]);
const SCHEMES = new Map(SHIPPED_SCHEMES);
/** Characters of what a scheme threw. */
const MAX_REASON = 200;

/**
 * Adds a scheme under the name that configurations of services call it by.
 * @param origin its function and file, for what is told of it.
 */
export function addScheme(name: string, scheme: ChargingScheme, origin = 'a scheme that was added'): void {
  SCHEMES.set(name, { scheme, origin });
}

export function schemeNames(): readonly string[] {
  return [...SCHEMES.keys()];
}

/**
 * Applies a scheme.
 * @throws RangeError when none has this name.
 * @throws TollcastError `SCHEME_FAILED` when it throws, or says something else than an amount.
 */
export function applyScheme(name: string, entry: ClosedEntry): bigint {
  const known = SCHEMES.get(name);
  if (known === undefined) throw new RangeError(`no scheme is called ${name}; add it before the head-end starts`);
  const amount = runScheme(name, known, entry);
  if (amount < 0n) return 0n;
  return amount < entry.charge ? amount : entry.charge;
}

function runScheme(name: string, { scheme, origin }: KnownScheme, entry: ClosedEntry): bigint {
  const fail = (what: string, cause?: unknown) =>
    new TollcastError(
      'SCHEME_FAILED',
      `scheme ${name}, ${origin}, ${what} for service ${entry.service} from ${entry.from} to ${entry.to}; ` +
        'mend it and start the head-end anew: until then it is not billed',
      { cause },
    );
  let amount: unknown;
  try {
    amount = scheme(entry);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw fail(`threw "${reason.slice(0, MAX_REASON)}"`, cause);
  }
  if (typeof amount !== 'bigint') throw fail(`gave ${describeValue(amount)} and not micro-units as a bigint`);
  return amount;
}

function describeValue(value: unknown): string {
  return typeof value === 'number' ? `the number ${value}` : `a value of type ${typeof value}`;
}
