import { FormatError, OutOfRangeError } from '../../errors.ts';
import { readUint, writeUint } from '../../octets.ts';

/** What a purchase allows the head-end to ask for at most; `firmware-notes/protocol.md` 4.2. Money in micro-units. */
export interface Ceilings {
  /** Most per 1,000,000 octets, u32. */
  readonly perMegabyte: bigint;
  /** Most per 3,600,000 ms, u32. */
  readonly perHour: bigint;
  /** Most per segment, u32. */
  readonly flat: bigint;
  /** Most octets in one group, 0 to 2^24 - 1. */
  readonly groupOctets: number;
  /** Most ms in one group, 0 to 2^24 - 1. */
  readonly groupDuration: number;
  /** What the card takes from the balance at a time, 1 to 2^39 - 1. */
  readonly quantum: bigint;
  /** ISO 4217 number of the currency that all this is in: cards of another one refuse it. Left out, it is that of any card. */
  readonly currency?: number;
}

/** The most that a balance, a quantum or a session may come to: 2^39 - 1 micro-units. */
export const MOST_MONEY = 2n ** 39n - 1n;

const FIELDS = [
  ['perMegabyte', 0, 4],
  ['perHour', 4, 4],
  ['flat', 8, 4],
  ['groupOctets', 12, 3],
  ['groupDuration', 15, 3],
  ['quantum', 18, 6],
  ['currency', 24, 2],
] as const;

/** @throws OutOfRangeError naming the field and its range. */
export function encodeCeilings(ceilings: Ceilings): Uint8Array {
  const body = new Uint8Array(32);
  for (const [field, at, size] of FIELDS) {
    const value = BigInt(ceilings[field] ?? 0);
    const least = field === 'quantum' ? 1n : 0n;
    const most = field === 'quantum' ? MOST_MONEY : 2n ** BigInt(8 * size) - 1n;
    if (value < least || value > most) {
      throw new OutOfRangeError(`${field} is ${value}; it must lie within ${least} and ${most}`);
    }
    writeUint(body, at, size, Number(value));
  }
  return body;
}

/** @throws FormatError when the body is not 32 octets. */
export function decodeCeilings(body: Uint8Array): Ceilings {
  if (body.length !== 32) throw new FormatError(`ceilings have 32 octets, not ${body.length}`);
  const currency = readUint(body, 24, 2);
  return {
    perMegabyte: BigInt(readUint(body, 0, 4)),
    perHour: BigInt(readUint(body, 4, 4)),
    flat: BigInt(readUint(body, 8, 4)),
    groupOctets: readUint(body, 12, 3),
    groupDuration: readUint(body, 15, 3),
    quantum: BigInt(readUint(body, 18, 6)),
    ...(currency !== 0 && { currency }),
  };
}
