import { writeFile } from 'node:fs/promises';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import type { SelectAnswer } from '../../../apdu/decode-module/select-answer.ts';
import { InputError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';
import type { BenchGrant } from '../../card-bench/bench-service.ts';
import { describeChip, isChipName } from '../../card-bench/card-profile.ts';
import { BIT_RATES, type CardSpeed, type DecodeSpeed, type RoundTrips } from '../../card-bench/card-speed.ts';
import { measureCard } from '../../card-bench/measure-card.ts';
import { FULL_PAYLOAD } from '../../card-bench/min-every.ts';
import { systemClock } from '../../clock/clock.ts';
import { openGrantNumbers } from '../../headend/keys/numbers/grant-numbers.ts';
import { requireActive } from '../../holder/life.ts';
import { presentPin } from '../../holder/pin.ts';
import { KeyStore } from '../../issuer/keys/key-store.ts';
import { type CardOptions, print, withCard } from '../options/card-option.ts';
import { askPassphrase, type PassphraseOptions } from '../terminal/passphrase.ts';
import { askPin } from '../terminal/pin-entry.ts';
import { now } from '../terminal/time.ts';
import { readVersion } from '../version.ts';

export interface BenchOptions extends CardOptions, PassphraseOptions {
  readonly store: string;
  /** Octets; all of {@link SPANS} when left out. */
  readonly span?: number;
  /** Of each measurement. */
  readonly seconds: number;
  readonly takes?: true;
  readonly pin?: true;
  readonly pinFile?: string;
  /** File for the profile of the chip. */
  readonly profile?: string;
  /** What the profile calls the chip. */
  readonly name?: string;
}

const SPANS = [16, 32, 64, 208];

/** Reads the octets of a span after an option. @throws InputError when no card part has such a span. */
export function parseSpan(text: string): number {
  const span = Number(text);
  if (/^\d{1,3}$/.test(text) && span % 16 === 0 && span >= 16 && span <= 208) return span;
  throw new InputError(`"${text.slice(0, 40)}" is not a span; write 16 to 208 in steps of 16`);
}

/** Reads the name of a chip after an option. @throws InputError when it does not go into a table. */
export function parseChipName(text: string): string {
  if (isChipName(text)) return text;
  throw new InputError(
    `"${text.slice(0, 60)}" is not a name of a chip; write 1 to 60 letters, digits, spaces and . , + - ( ) /`,
  );
}

/** `tollcast card bench` */
export async function benchCard(options: BenchOptions): Promise<void> {
  const pin = options.pin === true || options.pinFile !== undefined ? await askPin(options.pinFile) : undefined;
  await withCard(options, async (channel) => {
    const module = new DecodeModule(channel);
    const answer = await module.select();
    if (pin !== undefined && answer.life === 'active') await presentPin(module, pin);
    const speed = await measureCard(channel, {
      grant: () => makeGrant(answer, options),
      spans: options.span === undefined ? SPANS : [options.span],
      takes: options.takes === true,
      time: options.seconds * 1000,
      clock: systemClock,
    });
    if (options.profile !== undefined) {
      const { atr } = channel;
      const name = options.name ?? `ATR ${toHex(atr)}`;
      const profile = describeChip({ name, transport: options.card.kind, tollcast: readVersion(), atr, answer }, speed);
      await writeFile(options.profile, `${JSON.stringify(profile, undefined, 2)}\n`, { mode: 0o600 });
    }
    const card = formatCardId(answer.cardId);
    print(options, { card, ...speed, rates: BIT_RATES }, [`card            ${card}`, ...describeSpeed(speed)]);
  });
}

/** @throws TollcastError `CARD_NOT_ACTIVE`; what the store throws. */
async function makeGrant(answer: SelectAnswer, options: BenchOptions): Promise<BenchGrant> {
  requireActive(answer);
  const { cardId } = answer;
  const { store } = options;
  const unique = await new KeyStore(store, () => askPassphrase(options)).open('unique');
  const from = now();
  const [number] = await openGrantNumbers(store).take([cardId], from);
  return { cardId, downlinkKey: deriveCardKey(unique, 'downlink', cardId), number: number!, from };
}

function describeSpeed({ roundTrip, startLoad, loadKey, decode, take, undone }: CardSpeed): string[] {
  const rates = BIT_RATES.map((rate) => rate / 1e6).join(', ');
  const rows: readonly (readonly [string, RoundTrips | undefined])[] = [
    ['5-octet command', roundTrip],
    ['START LOAD', startLoad],
    ['LOAD KEY', loadKey],
  ];
  return [
    ...rows.flatMap(([name, times]) => (times === undefined ? [] : [`${name.padEnd(15)} ${describeTimes(times)}`])),
    ...decode.map(describeDecode),
    ...(take === undefined ? [] : [`DECODE, take    ${describeTimes(take)}`]),
    ...(decode.length === 0
      ? []
      : [`least n: one card packet in n packets of ${FULL_PAYLOAD} octets, at ${rates} Mbit/s`]),
    ...undone.map(({ what, why }) => `not measured: ${what}: ${why}`),
  ];
}

function describeDecode(speed: DecodeSpeed): string {
  const every = speed.minEvery.map((n) => n ?? 'none').join(' / ');
  return `DECODE span ${String(speed.span).padEnd(3)} ${describeTimes(speed)}; least n ${every}`;
}

function describeTimes({ perSecond, median, slowest }: RoundTrips): string {
  return `${perSecond.toFixed(1)}/s, median ${median.toFixed(2)} ms, slowest ${slowest.toFixed(2)} ms`;
}
