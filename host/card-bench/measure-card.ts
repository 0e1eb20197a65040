import type { CardChannel } from '../../apdu/card-channel.ts';
import { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { FormatError } from '../../apdu/errors.ts';
import { fromHex } from '../../apdu/octets.ts';
import type { Clock } from '../clock/clock.ts';
import { type BenchGrant, BenchService } from './bench-service.ts';
import { computeMinEvery } from './min-every.ts';

export interface MeasureOptions {
  readonly grant: BenchGrant;
  /** Octets of each span to measure, 16 to 208 in steps of 16. */
  readonly spans: readonly number[];
  /** ms of each measurement but that of LOAD KEY. */
  readonly time: number;
  readonly clock: Clock;
}

/** Round trips of one kind. */
export interface RoundTrips {
  readonly perSecond: number;
  /** ms; half of them are faster. */
  readonly median: number;
  /** ms. */
  readonly slowest: number;
}

/** How fast the card opens groups with a span of this many octets. */
export interface DecodeSpeed extends RoundTrips {
  readonly span: number;
  /** For each of {@link BIT_RATES} the smallest n, one card packet in n; null where no group is large enough. */
  readonly minEvery: readonly (number | null)[];
}

export interface CardSpeed {
  /** Of a command with 5 octets there and 2 back. */
  readonly roundTrip: RoundTrips;
  readonly loadKey: RoundTrips;
  readonly decode: readonly DecodeSpeed[];
}

/** bit/s. */
export const BIT_RATES: readonly number[] = [2e6, 5e6, 20e6];

/** An instruction that no module has: the shortest round trip. */
const UNKNOWN_COMMAND = fromHex('80FE000000');
/** Loads of a content key; on most chips every one writes to memory that wears. */
const LOADS = 20;
/** Commands made at a time, so that making them is not measured. */
const BATCH = 32;
/** Commands of a measurement, however slow or fast the card. */
const MIN_COMMANDS = 8;
const MAX_COMMANDS = 100_000;

/**
 * Measures how fast a card does what `firmware-notes/real-cards.md` estimates. It grants the card a free service, whose
 * keys it deletes; the purse stays as it is.
 * @throws TollcastError `WRONG_ISSUER` when the grant is not for this card; FormatError when the card answers wrongly.
 */
export async function measureCard(channel: CardChannel, options: MeasureOptions): Promise<CardSpeed> {
  const { grant, spans, time, clock } = options;
  const module = new DecodeModule(channel);
  const service = await BenchService.open(module, grant);
  const limits = { time, commands: MAX_COMMANDS, clock };
  try {
    const roundTrip = await measure(
      limits,
      () => UNKNOWN_COMMAND,
      (command) => sendForStatus(channel, command),
    );
    const loadKey = await measure(
      { ...limits, time: Infinity, commands: LOADS },
      () => service.sealContentKey(),
      (message) => module.loadKey(message),
    );
    await module.openSession(service.number);
    const decode: DecodeSpeed[] = [];
    for (const span of spans) {
      const speed = await measure(
        limits,
        () => service.sealPart(span),
        (part) => module.decode(part),
      );
      const minEvery = BIT_RATES.map((rate) => computeMinEvery(rate, speed.perSecond) ?? null);
      decode.push({ span, ...speed, minEvery });
    }
    return { roundTrip, loadKey, decode };
  } finally {
    await service.close();
  }
}

/** Sends until the time is over or all commands are sent. Only the sending is timed. */
async function measure(
  { time, commands, clock }: { readonly time: number; readonly commands: number; readonly clock: Clock },
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

/** @throws FormatError when the answer is not a bare status word. */
async function sendForStatus(channel: CardChannel, command: Uint8Array): Promise<void> {
  const { length } = await channel.transmit(command);
  if (length !== 2) throw new FormatError(`a status word was expected, not ${length} octets; the card is faulty`);
}
