/** ms between two looks at a socket: at least and at most. */
export interface PauseBounds {
  readonly min: number;
  readonly max: number;
}

/** Datagrams a turn from which on the next pause is shorter, and below which it is longer. */
const MANY = 48;
const FEW = 24;
const LONGER = 1.25;
const SHORTER = 0.5;

/** ms until the next look at a socket: the pause follows the rate, so that a slow stream wakes the process seldom. */
export function nextPause(pause: number, datagrams: number, { min, max }: PauseBounds): number {
  if (datagrams > MANY) return Math.max(min, pause * SHORTER);
  return datagrams < FEW ? Math.min(max, pause * LONGER) : pause;
}
