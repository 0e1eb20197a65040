import { randomInt } from 'node:crypto';
import { type Clock, systemClock } from '../../clock/clock.ts';

/** What a stream is known by from its first packet on. */
export interface StreamStart {
  /** u32, even: bit 0 marks RIST repairs. */
  readonly ssrc: number;
  /** Media time of the first payload, seconds since 1970. */
  readonly mediaTime: number;
}

/** Starts a stream at the present second, under a random SSRC (RFC 3550 8.1). */
export function startStream(clock: Clock = systemClock): StreamStart {
  return { ssrc: 2 * randomInt(1, 2 ** 31), mediaTime: Math.floor(clock.now() / 1000) };
}
