/** What the log says of one request, or of the early end of a join. */
export interface LoggedRequest {
  /** Seconds since 1970. */
  readonly at: number;
  readonly cardId: string;
  readonly service: number;
  readonly session: string | null;
  readonly timeFrom: number;
  readonly timeTo: number | null;
  readonly outcome: string;
}

/** One connection, as it follows from the log alone. */
export interface LoggedConnection {
  readonly cardId: string;
  readonly service: number;
  readonly session: string;
  /** Seconds since 1970: connected in [from, to). */
  readonly from: number;
  readonly to: number;
}

/**
 * Works out from the log alone who was connected to what and when, without any other record: what charging entries come
 * to is held against it.
 * @param log in the order of its rows.
 */
export function readConnections(log: Iterable<LoggedRequest>): LoggedConnection[] {
  const ended: LoggedConnection[] = [];
  const open = new Map<string, LoggedConnection>();
  for (const { at, cardId, service, session, timeFrom, timeTo, outcome } of log) {
    if (session === null || timeTo === null) continue;
    const key = `${cardId} ${session}`;
    const present = open.get(key);
    const isPresent = present !== undefined && present.to > at;
    switch (outcome) {
      case 'joined':
      case 'extended':
        if (isPresent) {
          open.set(key, { ...present, to: timeTo });
        } else {
          if (present !== undefined) ended.push(present);
          open.set(key, { cardId, service, session, from: timeFrom, to: timeTo });
        }
        break;
      case 'left':
      case 'ended':
        if (isPresent) open.set(key, { ...present, to: Math.max(present.from, timeTo) });
        break;
      default:
    }
  }
  return [...ended, ...open.values()].filter(({ from, to }) => to > from);
}
