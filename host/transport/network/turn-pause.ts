/** How long a socket is left alone. */
export interface PauseBounds {
  /** ms between two looks, at least and at most. */
  readonly min: number;
  readonly max: number;
  /** Datagrams that a pause gathers at most, where they come at an even rate. */
  readonly many: number;
}

const LONGER = 1.1;
/** Part of what a pause may bring at which it stays as it is. */
const ROOM = 0.75;

/** Octets that Linux counts in a socket's buffer for the largest datagram. */
const COUNTED = 2304;
/**
 * Octets of receive buffer from which on long pauses are safe. It holds 1,800 datagrams: 100 ms of a stream that goes up
 * to 190 Mbit/s at once, and 10 ms of 1.9 Gbit/s.
 */
const LARGE_BUFFER = 4 * 1024 * 1024;

/** @param buffer octets that the system granted. Of a small one a quarter is filled in a pause. */
export function choosePauses(buffer: number): PauseBounds {
  if (buffer >= LARGE_BUFFER) return { min: 10, max: 100, many: 64 };
  return { min: 1, max: 20, many: Math.max(1, Math.floor(buffer / COUNTED / 4)) };
}

/** ms until the next look at a socket: the pause follows the rate, so that a slow stream wakes the process seldom. */
export function nextPause(pause: number, datagrams: number, { min, max, many }: PauseBounds): number {
  if (datagrams > many) return Math.max(min, (ROOM * pause * many) / datagrams);
  return datagrams < ROOM * many ? Math.min(max, pause * LONGER) : pause;
}
