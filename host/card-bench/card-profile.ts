import type { SelectAnswer } from '../../apdu/decode-module/select-answer.ts';
import { toHex } from '../../apdu/octets.ts';
import type { CardSpeed, DecodeSpeed, RoundTrips, Undone } from './card-speed.ts';

/**
 * What a chip is, and how fast the applet is on it. It names no card: neither a card id nor money is in it. The list
 * `measured` of `test/bench/card/real-cards.json` is made of these.
 */
export interface CardProfile {
  /** Version of this form. */
  readonly profile: 1;
  /** What its owner calls the chip and the reader. */
  readonly name: string;
  /** Hexadecimal; empty where the transport has none. */
  readonly atr: string;
  /** How the card was reached. */
  readonly transport: string;
  /** Version of Tollcast that measured. */
  readonly tollcast: string;
  readonly life: string;
  /** Of the protocol page. */
  readonly version: number;
  /** Hexadecimal, 4 octets. */
  readonly capabilities: string;
  readonly maxSpan: number;
  readonly maxCommandData: number;
  readonly roundTrip: RoundTrips;
  readonly startLoad: RoundTrips | null;
  readonly loadKey: RoundTrips | null;
  readonly decode: readonly Omit<DecodeSpeed, 'minEvery'>[];
  readonly take: RoundTrips | null;
  readonly undone: readonly Undone[];
}

/** Whether a text can name a chip: it goes into a table. */
export function isChipName(text: string): boolean {
  return /^[\w .,+()/-]{1,60}$/.test(text);
}

/** Describes the chip that a card was measured on. */
export function describeChip(
  about: Pick<CardProfile, 'name' | 'transport' | 'tollcast'> & {
    readonly atr: Uint8Array;
    readonly answer: SelectAnswer;
  },
  speed: CardSpeed,
): CardProfile {
  const { answer, atr, ...names } = about;
  return {
    profile: 1,
    ...names,
    atr: toHex(atr),
    life: answer.life,
    version: answer.version,
    capabilities: answer.capabilities.toString(16).padStart(8, '0'),
    maxSpan: answer.maxSpan,
    maxCommandData: answer.maxCommandData,
    roundTrip: speed.roundTrip,
    startLoad: speed.startLoad ?? null,
    loadKey: speed.loadKey ?? null,
    decode: speed.decode.map(({ span, perSecond, median, slowest }) => ({ span, perSecond, median, slowest })),
    take: speed.take ?? null,
    undone: speed.undone,
  };
}
