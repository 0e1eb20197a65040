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

/** What could not be measured, and why. */
export interface Undone {
  /** As a person reads it: "DECODE span 64". */
  readonly what: string;
  /** Stable, for programs: the code of the error, or `NOT_ASKED`. */
  readonly code: string;
  readonly why: string;
}

/** What was measured of a card; what could not be is left out here and stands in `undone`. */
export interface CardSpeed {
  /** Of a command with 5 octets there and 2 back. */
  readonly roundTrip: RoundTrips;
  readonly startLoad?: RoundTrips | undefined;
  readonly loadKey?: RoundTrips | undefined;
  readonly decode: readonly DecodeSpeed[];
  /** A DECODE of which every one writes a record. */
  readonly take?: RoundTrips | undefined;
  readonly undone: readonly Undone[];
}

/** bit/s. */
export const BIT_RATES: readonly number[] = [2e6, 5e6, 20e6];
