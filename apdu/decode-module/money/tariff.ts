/** The tariffs and their code in a content message; `firmware-notes/protocol.md` 4.3 and 7.1. */
export const TARIFF = { free: 0, octets: 1, duration: 2, flat: 3 } as const;

/** How a content key is paid for. */
export type TariffKind = keyof typeof TARIFF;

function isTariffKind(name: string): name is TariffKind {
  return name in TARIFF;
}

const TARIFF_KINDS = Object.keys(TARIFF).filter(isTariffKind);

/** The tariff of a code, or undefined when the page has none with this code. */
export function tariffKindOf(code: number): TariffKind | undefined {
  return TARIFF_KINDS.find((kind) => TARIFF[kind] === code);
}

export interface Tariff {
  readonly kind: TariffKind;
  /** Micro-units per 1,000,000 octets, per 3,600,000 ms, or per segment; 0 when free; at most 2^32 - 1. */
  readonly price: bigint;
}

/** One micro-unit: the least common multiple of 1,000,000 octets and 3,600,000 ms. */
export const TICKS_PER_MICRO_UNIT = 18_000_000n;

/**
 * Computes the ticks of one group, exactly.
 * @param octets RTP payload, 0 to 2^24 - 1.
 * @param duration ms, 0 to 2^24 - 1.
 * @param firstOfSegment whether a flat price falls due.
 */
export function ticksOf(tariff: Tariff, octets: number, duration: number, firstOfSegment: boolean): bigint {
  switch (tariff.kind) {
    case 'free':
      return 0n;
    case 'octets':
      return BigInt(octets) * tariff.price * 18n;
    case 'duration':
      return BigInt(duration) * tariff.price * 5n;
    case 'flat':
      return firstOfSegment ? tariff.price * TICKS_PER_MICRO_UNIT : 0n;
  }
}

/** Converts ticks to micro-units, rounded up once. */
export function amountOf(ticks: bigint): bigint {
  return (ticks + TICKS_PER_MICRO_UNIT - 1n) / TICKS_PER_MICRO_UNIT;
}
