import type { Tariff } from '../../../apdu/decode-module/money/tariff.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import type { SentBoundTable, SentSecondTable } from '../../store/headend/tables/sent-tables.ts';

/** What was sent of a service in some time. */
export interface SentUnits {
  readonly octets: number;
  /** ms. */
  readonly duration: number;
  readonly groups: number;
}

/** What cards took in some time, and in which segment. */
export interface SentTerms {
  readonly tariff: Tariff;
  readonly currency: number | null;
  readonly segment: number;
  /** Media time of the first and the last second, seconds since 1970. */
  readonly from: number;
  readonly to: number;
}

/** The sender's journal of one service in memory, for many questions. */
export class ServiceJournal {
  readonly #seconds: Float64Array;
  /** Of all seconds before each, and of all. */
  readonly #octets: Float64Array;
  readonly #duration: Float64Array;
  readonly #groups: Float64Array;
  readonly #bounds: readonly SentBoundTable[];
  /** By their start. */
  readonly #terms: readonly SentTerms[];

  constructor(
    rows: readonly Pick<SentSecondTable, 'second' | 'octets' | 'duration' | 'groups'>[],
    bounds: readonly SentBoundTable[],
    terms: readonly SentTerms[],
  ) {
    const sorted = rows.toSorted((a, b) => a.second - b.second);
    this.#seconds = Float64Array.from(sorted, ({ second }) => second);
    this.#octets = sumUp(sorted.map(({ octets }) => Number(octets)));
    this.#duration = sumUp(sorted.map(({ duration }) => Number(duration)));
    this.#groups = sumUp(sorted.map(({ groups }) => groups));
    this.#bounds = bounds;
    this.#terms = terms.toSorted((a, b) => a.from - b.from);
  }

  /** Reads what was sent in [from, to]; seconds since 1970. */
  static async read(store: HeadendStore, service: number, from: number, to: number): Promise<ServiceJournal> {
    const rows = await store
      .selectFrom('sentSecond')
      .select(['second', 'octets', 'duration', 'groups'])
      .where('service', '=', service)
      .where('second', '>=', from)
      .where('second', '<=', to)
      .execute();
    const bounds = await store
      .selectFrom('sentBound')
      .selectAll()
      .where('service', '=', service)
      .where('timeFrom', '<=', to)
      .where('timeTo', '>=', from)
      .execute();
    const keys = await store
      .selectFrom('sentSecond')
      .innerJoin('sentKey', (join) =>
        join.onRef('sentKey.service', '=', 'sentSecond.service').onRef('sentKey.keyId', '=', 'sentSecond.keyId'),
      )
      .select(({ fn }) => [
        'sentKey.tariff',
        'sentKey.price',
        'sentKey.currency',
        'sentKey.segment',
        fn.min<number>('second').as('timeFrom'),
        fn.max<number>('second').as('timeTo'),
      ])
      .where('sentSecond.service', '=', service)
      .where('second', '>=', from)
      .where('second', '<=', to)
      .groupBy(['sentKey.keyId', 'sentKey.tariff', 'sentKey.price', 'sentKey.currency', 'sentKey.segment'])
      .execute();
    const terms = keys.map(({ tariff, price, currency, segment, timeFrom, timeTo }) => ({
      tariff: { kind: tariff, price },
      currency,
      segment,
      from: timeFrom,
      to: timeTo,
    }));
    return new ServiceJournal(rows, bounds, terms);
  }

  /** Reads what one session of a service sent in [from, to], as far as it is written down. */
  static async readSession(
    store: HeadendStore,
    service: number,
    session: string,
    from: number,
    to: number,
  ): Promise<ServiceJournal> {
    const rows = await store
      .selectFrom('sentSecond')
      .innerJoin('sentKey', (join) =>
        join.onRef('sentKey.service', '=', 'sentSecond.service').onRef('sentKey.keyId', '=', 'sentSecond.keyId'),
      )
      .select(['second', 'octets', 'duration', 'groups'])
      .where('sentSecond.service', '=', service)
      .where('sentKey.session', '=', session)
      .where('second', '>=', from)
      .where('second', '<=', to)
      .execute();
    return new ServiceJournal(rows, [], []);
  }

  /** Reads at what prices the service was ever sent, and not how much. */
  static async readPrices(store: HeadendStore, service: number): Promise<ServiceJournal> {
    const rows = await store
      .selectFrom('sentKey')
      .select(['tariff', 'price', 'currency'])
      .distinct()
      .where('service', '=', service)
      .execute();
    const terms = rows.map(({ tariff: kind, price, currency }) => ({
      tariff: { kind, price },
      currency,
      segment: 0,
      from: 0,
      to: 0,
    }));
    return new ServiceJournal([], [], terms);
  }

  /** Whether nothing is known of the service in this time. */
  get isEmpty(): boolean {
    return this.#seconds.length === 0 && this.#bounds.length === 0;
  }

  /** The most that was sent in media time [from, to], both seconds whole. */
  sum(from: number, to: number): SentUnits {
    const first = this.#findFrom(from);
    const end = this.#findFrom(to + 1);
    let octets = this.#octets[end]! - this.#octets[first]!;
    let duration = this.#duration[end]! - this.#duration[first]!;
    let groups = this.#groups[end]! - this.#groups[first]!;
    for (const bound of this.#bounds) {
      const seconds = Math.min(to, bound.timeTo) - Math.max(from, bound.timeFrom) + 1;
      if (seconds <= 0) continue;
      octets += seconds * Number(bound.octets);
      duration += seconds * Number(bound.duration);
      groups += seconds * bound.groups;
    }
    return { octets, duration, groups };
  }

  /** Whether all that can have been sent in [from, to] is written down exactly. */
  isExact(from: number, to: number): boolean {
    return this.#bounds.every(({ timeFrom, timeTo }) => to < timeFrom || from > timeTo);
  }

  /** What cards took in media time [from, to]. */
  terms(from: number, to: number): readonly SentTerms[] {
    return this.#terms.filter((one) => one.from <= to && one.to >= from);
  }

  /** All there was. */
  get allTerms(): readonly SentTerms[] {
    return this.#terms;
  }

  /** Place of the first second at a time or after it. */
  #findFrom(time: number): number {
    let low = 0;
    let high = this.#seconds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#seconds[middle]! < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** All sums from the first on; counts stay far below 2^53. */
function sumUp(values: readonly number[]): Float64Array {
  const sums = new Float64Array(values.length + 1);
  for (const [i, value] of values.entries()) sums[i + 1] = sums[i]! + value;
  return sums;
}
