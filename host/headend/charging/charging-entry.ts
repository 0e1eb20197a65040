import type { Charges } from './charge-terms.ts';

/** One part of a connection time: `to` - `from`, below zero where a leave takes time back. Seconds since 1970. */
export interface TimePart {
  readonly from: number;
  readonly to: number;
  /** From when on it stands in the entry: a join's start, the end that an extension begins at, the time of a leave. */
  readonly since: number;
}

/** What a user owes for one join of a session, from its first request on. It changes by new parts alone. */
export interface ChargingEntry {
  /** Given once; a bill has the same. */
  readonly id: number;
  readonly user: string;
  /** As `formatSession` writes it. */
  readonly session: string;
  /** u32. */
  readonly service: number;
  readonly charges: Charges;
  /** One at least; each begins at the end of the one before. */
  readonly parts: readonly TimePart[];
  /** Octets that the session had sent when the connection began, where octets are charged. */
  readonly firstReading?: bigint;
}

/** An entry, and what is known of its end. */
export interface KeptEntry extends ChargingEntry {
  /** Seconds since 1970 at which it was closed. */
  readonly closedAt?: number;
  /** What the meter showed then. */
  readonly lastReading?: bigint;
}

/** An entry as it stands at one moment. */
export interface EntryState {
  readonly user: string;
  readonly session: string;
  /** The connection time is their sum. */
  readonly time: readonly Pick<TimePart, 'from' | 'to'>[];
  /** When the joined status ends, seconds since 1970. */
  readonly expiry: number;
}

/** Makes the entry of a join for [from, to). It stands from the start on. */
export function openEntry(
  opened: Omit<ChargingEntry, 'parts' | 'firstReading'>,
  { from, to }: { readonly from: number; readonly to: number },
): ChargingEntry {
  return { ...opened, parts: [{ from, to, since: from }] };
}

/** A later end, which stands from the present end on. @param to after the present end. */
export function extendEntry(entry: ChargingEntry, to: number): ChargingEntry {
  const end = endOf(entry);
  return { ...entry, parts: [...entry.parts, { from: end, to, since: end }] };
}

/**
 * An earlier end, which stands at once; an extension that was still to come stands at once, too.
 * @param to before the present end; an end before the start is taken as the start.
 * @param now seconds since 1970.
 */
export function shortenEntry(entry: ChargingEntry, to: number, now: number): ChargingEntry {
  const end = endOf(entry);
  const start = startOf(entry);
  const standing = entry.parts.map((part) => ({ ...part, since: Math.max(start, Math.min(part.since, now)) }));
  return { ...entry, parts: [...standing, { from: end, to: Math.max(to, start), since: Math.max(start, now) }] };
}

/** @returns seconds since 1970. */
export function startOf({ parts }: ChargingEntry): number {
  return parts[0]!.from;
}

/** The end that is agreed, whether it stands in the entry yet or not. @returns seconds since 1970. */
export function endOf({ parts }: ChargingEntry): number {
  return parts.at(-1)!.to;
}

/** The connection time up to the agreed end. @returns seconds. */
export function secondsOf({ parts }: ChargingEntry): number {
  return parts.reduce((sum, { from, to }) => sum + (to - from), 0);
}

/**
 * The entry as it stands.
 * @param now seconds since 1970.
 * @returns undefined before its start.
 */
export function readEntry({ user, session, parts }: ChargingEntry, now: number): EntryState | undefined {
  const standing = parts.filter(({ since }) => since <= now);
  const last = standing.at(-1);
  if (last === undefined) return undefined;
  return { user, session, time: standing.map(({ from, to }) => ({ from, to })), expiry: last.to };
}

/**
 * Writes a connection time as the sum of its parts: `(1800-0)+(3600-1800)+(2700-3600)`.
 * @param name writes a time; in seconds since 1970 when left out.
 */
export function formatTime(
  time: readonly Pick<TimePart, 'from' | 'to'>[],
  name: (time: number) => string = String,
): string {
  return time.map(({ from, to }) => `(${name(to)}-${name(from)})`).join('+');
}
