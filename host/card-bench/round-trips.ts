import type { Clock } from '../clock/clock.ts';
import type { RoundTrips } from './card-speed.ts';

/** How long one kind of command is sent. */
export interface Limits {
  /** ms. */
  readonly time: number;
  readonly commands: number;
  readonly clock: Clock;
}

/** Commands made at a time, so that making them is not measured. */
const BATCH = 32;
/** Commands of a measurement, however slow or fast the card. */
const MIN_COMMANDS = 8;

/** Sends until the time is over or all commands are sent. Only the sending is timed. @throws what `send` throws. */
export async function measureRoundTrips(
  { time, commands, clock }: Limits,
  make: () => Uint8Array,
  send: (command: Uint8Array) => Promise<unknown>,
): Promise<RoundTrips> {
  const times: number[] = [];
  let total = 0;
  while (times.length < commands && (total < time || times.length < MIN_COMMANDS)) {
    const batch = Array.from({ length: Math.min(BATCH, commands - times.length) }, make);
    for (const command of batch) {
      if (total >= time && times.length >= MIN_COMMANDS) break;
      const start = clock.monotonic();
      await send(command);
      const taken = clock.monotonic() - start;
      times.push(taken);
      total += taken;
    }
  }
  times.sort((a, b) => a - b);
  return {
    perSecond: Math.round((10_000 * times.length) / total) / 10,
    median: roundToMicroseconds(times[times.length >>> 1]!),
    slowest: roundToMicroseconds(times.at(-1)!),
  };
}

/** ms, no finer than they are measured. */
function roundToMicroseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
