import type { CardChannel } from '../../apdu/card-channel.ts';
import { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { ModuleError } from '../../apdu/decode-module/module-status.ts';
import { FormatError, TollcastError } from '../../apdu/errors.ts';
import { fromHex } from '../../apdu/octets.ts';
import type { Clock } from '../clock/clock.ts';
import { type BenchGrant, BenchService } from './bench-service.ts';
import { BIT_RATES, type CardSpeed, type DecodeSpeed, type RoundTrips, type Undone } from './card-speed.ts';
import { computeMinEvery } from './min-every.ts';
import { measureRoundTrips } from './round-trips.ts';

export interface MeasureOptions {
  /** Gives the card's grant. @throws TollcastError `CARD_NOT_ACTIVE` when the card cannot have one. */
  readonly grant: () => Promise<BenchGrant>;
  /** Octets of each span to measure, 16 to 208 in steps of 16. */
  readonly spans: readonly number[];
  /** Whether to measure groups that are paid for: a micro-unit each. */
  readonly takes: boolean;
  /** ms of each measurement but those of LOAD KEY and of takes. */
  readonly time: number;
  readonly clock: Clock;
}

/** An instruction that no module has: the shortest round trip. */
const UNKNOWN_COMMAND = fromHex('80FE000000');
/** Loads of a content key; on most chips every one writes to memory that wears. */
const LOADS = 20;
/** Groups that are paid for, a micro-unit and a record write each. */
const TAKES = 20;
/** Commands of a measurement, however fast the card. */
const MAX_COMMANDS = 100_000;

/** Names of what is measured, as a person reads them. */
const START_LOAD = 'START LOAD';
const LOAD_KEY = 'LOAD KEY';
const TAKE = 'DECODE with a take';

const NOTHING = new Uint8Array(0);
/** Octets of the span of a group that is paid for. */
const TAKE_SPAN = 64;

/**
 * Measures how fast a selected card does what `firmware-notes/real-cards.md` estimates. It grants the card a service,
 * whose keys it deletes. The purse stays as it is unless `takes` is set. What the card refuses is left out, with the
 * reason.
 * @throws FormatError when the card answers wrongly; what the channel throws, and what `grant` throws for another
 * cause.
 */
export async function measureCard(channel: CardChannel, options: MeasureOptions): Promise<CardSpeed> {
  const { spans, time, clock } = options;
  const module = new DecodeModule(channel);
  const undone: Undone[] = [];
  const roundTrip = await measureRoundTrips(
    { time, commands: MAX_COMMANDS, clock },
    () => UNKNOWN_COMMAND,
    (command) => sendForStatus(channel, command),
  );
  const granted = [LOAD_KEY, ...spans.map(nameDecode), TAKE];
  const grant = await unlessRefused(undone, [START_LOAD, ...granted], options.grant);
  if (grant === undefined) return { roundTrip, decode: [], undone };
  const startLoad = await unlessRefused(undone, [START_LOAD], () =>
    measureRoundTrips(
      { time, commands: MAX_COMMANDS, clock },
      () => NOTHING,
      () => module.startLoad(),
    ),
  );
  const service = await unlessRefused(undone, granted, () => BenchService.open(module, grant));
  if (service === undefined) return { roundTrip, startLoad, decode: [], undone };
  try {
    return { roundTrip, startLoad, ...(await measureService(module, service, options, undone)), undone };
  } finally {
    await service.close();
  }
}

async function measureService(
  module: DecodeModule,
  service: BenchService,
  { spans, takes, time, clock }: MeasureOptions,
  undone: Undone[],
): Promise<Pick<CardSpeed, 'loadKey' | 'decode' | 'take'>> {
  const loadKey = await unlessRefused(undone, [LOAD_KEY], () =>
    measureRoundTrips(
      { time: Infinity, commands: LOADS, clock },
      () => service.sealContentKey('free'),
      (message) => module.loadKey(message),
    ),
  );
  const session = await unlessRefused(undone, [...spans.map(nameDecode), TAKE], async () => {
    await module.openSession(service.number);
    return service;
  });
  if (session === undefined) return { loadKey, decode: [] };
  const decode: DecodeSpeed[] = [];
  for (const span of spans) {
    const speed = await unlessRefused(undone, [nameDecode(span)], () =>
      measureRoundTrips(
        { time, commands: MAX_COMMANDS, clock },
        () => service.sealPart(span),
        (part) => module.decode(part),
      ),
    );
    if (speed === undefined) continue;
    const minEvery = BIT_RATES.map((rate) => computeMinEvery(rate, speed.perSecond) ?? null);
    decode.push({ span, ...speed, minEvery });
  }
  if (takes)
    return { loadKey, decode, take: await unlessRefused(undone, [TAKE], () => measureTakes(module, service, clock)) };
  const why = `each costs a micro-unit, and a receipt is left; --takes measures ${TAKES} of them`;
  undone.push({ what: TAKE, code: 'NOT_ASKED', why });
  return { loadKey, decode };
}

async function measureTakes(module: DecodeModule, service: BenchService, clock: Clock): Promise<RoundTrips> {
  await module.loadKey(service.sealContentKey('a micro-unit a group'));
  return measureRoundTrips(
    { time: Infinity, commands: TAKES, clock },
    () => service.sealPart(TAKE_SPAN),
    (part) => module.decode(part),
  );
}

function nameDecode(span: number): string {
  return `DECODE span ${span}`;
}

/** @returns undefined when the card refused; `undone` then has every one of `what`, with the reason. */
async function unlessRefused<T>(
  undone: Undone[],
  what: readonly string[],
  measure: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await measure();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    undone.push(...what.map((name) => ({ what: name, code: error.code, why: error.message })));
    return undefined;
  }
}

/** Whether an error says that this card does not do this now. All else is a fault on the way to it. */
function isRefusal(error: unknown): error is TollcastError {
  if (error instanceof ModuleError) return error.code !== 'DEFECT';
  return error instanceof TollcastError && error.code === 'CARD_NOT_ACTIVE';
}

/** @throws FormatError when the answer is not a bare status word. */
async function sendForStatus(channel: CardChannel, command: Uint8Array): Promise<void> {
  const { length } = await channel.transmit(command);
  if (length !== 2) throw new FormatError(`a status word was expected, not ${length} octets; the card is faulty`);
}
