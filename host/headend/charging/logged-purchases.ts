/** Outcome of the log's rows that are billed: a key was given, and its segment is owed in the row's time. */
export const SOLD_OUTCOME = 'sold';

/** A row of the log: a card was given the key of a segment, which opens something in [timeFrom, timeTo). */
export interface SoldRow {
  readonly id: number;
  /** Seconds since 1970: when it was given. */
  readonly at: number;
  /** 8 octets in hexadecimal. */
  readonly cardId: string;
  readonly service: number;
  /** As `formatSession` writes it. */
  readonly session: string | null;
  readonly segmentId: number | null;
  readonly timeFrom: number;
  readonly timeTo: number | null;
}

/** A segment that a card could open, as it follows from the log alone. */
export interface LoggedPurchase {
  /** Of the first row that gave the key: the same log has the same purchases. */
  readonly id: number;
  readonly at: number;
  readonly cardId: string;
  readonly service: number;
  readonly session: string;
  readonly segmentId: number;
  /** Seconds since 1970, one behind the other, none empty: when it could open something. */
  readonly times: readonly { readonly from: number; readonly to: number }[];
}

/**
 * Reads what each card owes from rows of the log alone. A key that is given again is owed once, and so is each second.
 * @param rows of all that was sold of some segments, in their order.
 */
export function readPurchases(rows: Iterable<SoldRow>): LoggedPurchase[] {
  const purchases = new Map<string, LoggedPurchase>();
  for (const { id, at, cardId, service, session, segmentId, timeFrom: from, timeTo: to } of rows) {
    if (session === null || segmentId === null || to === null || to <= from) continue;
    const key = `${cardId} ${service} ${segmentId}`;
    const present = purchases.get(key) ?? { id, at, cardId, service, session, segmentId, times: [] };
    purchases.set(key, { ...present, times: unite(present.times, { from, to }) });
  }
  return [...purchases.values()];
}

function unite(times: LoggedPurchase['times'], added: LoggedPurchase['times'][number]): LoggedPurchase['times'] {
  const apart = times.filter(({ from, to }) => to < added.from || from > added.to);
  const together = [added, ...times.filter((time) => !apart.includes(time))];
  const from = Math.min(...together.map((time) => time.from));
  const to = Math.max(...together.map((time) => time.to));
  return [...apart, { from, to }].toSorted((a, b) => a.from - b.from);
}
