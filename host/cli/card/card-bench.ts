import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { InputError } from '../../../apdu/errors.ts';
import { BIT_RATES, type DecodeSpeed, measureCard, type RoundTrips } from '../../card-bench/measure-card.ts';
import { FULL_PAYLOAD } from '../../card-bench/min-every.ts';
import { systemClock } from '../../clock/clock.ts';
import { openGrantNumbers } from '../../headend/keys/grant-numbers.ts';
import { selectActive } from '../../holder/life.ts';
import { KeyStore } from '../../issuer/keys/key-store.ts';
import { type CardOptions, print, withCard } from '../options/card-option.ts';
import { now } from '../terminal/time.ts';
import { askPassphrase } from '../terminal/passphrase.ts';

export interface BenchOptions extends CardOptions {
  readonly store: string;
  /** Octets; {@link SPANS} when left out. */
  readonly span?: number;
  /** Of each measurement. */
  readonly seconds: number;
}

const SPANS = [16, 32, 64, 208];

/** Reads the octets of a span after an option. @throws InputError when no card part has such a span. */
export function parseSpan(text: string): number {
  const span = Number(text);
  if (/^\d{1,3}$/.test(text) && span % 16 === 0 && span >= 16 && span <= 208) return span;
  throw new InputError(`"${text.slice(0, 40)}" is not a span; write 16 to 208 in steps of 16`);
}

/** `tollcast card bench` */
export async function benchCard(options: BenchOptions): Promise<void> {
  await withCard(options, async (channel) => {
    const { cardId } = await selectActive(new DecodeModule(channel));
    const unique = await new KeyStore(options.store, askPassphrase).open('unique');
    const from = now();
    const [number] = await openGrantNumbers(options.store).take([cardId], from);
    const speed = await measureCard(channel, {
      grant: { cardId, downlinkKey: deriveCardKey(unique, 'downlink', cardId), number: number!, from },
      spans: options.span === undefined ? SPANS : [options.span],
      time: options.seconds * 1000,
      clock: systemClock,
    });
    const card = formatCardId(cardId);
    const rates = BIT_RATES.map((rate) => rate / 1e6).join(', ');
    print(options, { card, ...speed, rates: BIT_RATES }, [
      `card            ${card}`,
      `5-octet command ${describeTimes(speed.roundTrip)}`,
      `LOAD KEY        ${describeTimes(speed.loadKey)}`,
      ...speed.decode.map(describeDecode),
      `least n: one card packet in n packets of ${FULL_PAYLOAD} octets, at ${rates} Mbit/s`,
    ]);
  });
}

function describeDecode(speed: DecodeSpeed): string {
  const every = speed.minEvery.map((n) => n ?? 'none').join(' / ');
  return `DECODE span ${String(speed.span).padEnd(3)} ${describeTimes(speed)}; least n ${every}`;
}

function describeTimes({ perSecond, median, slowest }: RoundTrips): string {
  return `${perSecond.toFixed(1)}/s, median ${median.toFixed(2)} ms, slowest ${slowest.toFixed(2)} ms`;
}
