import { expect, test } from 'vitest';
import { choosePauses, nextPause, type PauseBounds } from '../../../host/transport/network/turn-pause.ts';

/** Octets of the largest datagram, with what Linux counts for it in a socket's buffer. */
const COUNTED = 2304;
const LARGE = 4 * 1024 * 1024;
/** What Linux grants where nobody has changed it. */
const SMALL = 212_992;

/** Looks at a socket into which datagrams come at a rate: pauses, and the most that ever waited. */
function watch(bounds: PauseBounds, perSecond: (ms: number) => number, length: number) {
  let pause = bounds.min;
  let mostWaiting = 0;
  const pauses: number[] = [];
  for (let ms = 0; ms < length; ms += pause) {
    const waiting = Math.round((perSecond(ms) * pause) / 1000);
    mostWaiting = Math.max(mostWaiting, waiting);
    pauses.push(pause);
    pause = nextPause(pause, waiting, bounds);
  }
  return { pauses, mostWaiting };
}

test('a slow stream wakes the process 10 times a second, a fast one 100 times', () => {
  const bounds = choosePauses(LARGE);
  // 5 and 200 Mbit/s.
  expect(watch(bounds, () => 475, 3000).pauses.at(-1)).toBe(100);
  expect(watch(bounds, () => 19_000, 3000).pauses.at(-1)).toBe(10);
  const { pauses } = watch(bounds, () => 1900, 3000);
  expect(new Set(pauses.slice(-10)).size).toBe(1);
});

test('no datagram waits longer than 100 ms, nor than 20 for a small buffer, however few come', () => {
  for (const [buffer, most] of [
    [LARGE, 100],
    [SMALL, 20],
  ] as const) {
    expect(Math.max(...watch(choosePauses(buffer), () => 1, 60_000).pauses)).toBe(most);
  }
});

test('a small buffer holds what comes in a pause, with a sender that sends 48 at once', () => {
  const bounds = choosePauses(SMALL);
  for (const perSecond of [100, 475, 1900, 4750]) {
    expect((watch(bounds, () => perSecond, 3000).mostWaiting + 48) * COUNTED).toBeLessThan(SMALL);
  }
  expect(watch(bounds, () => 475, 3000).pauses.at(-1)).toBe(20);
  // 95 Mbit/s: every 2 ms or so.
  expect(watch(bounds, () => 9000, 3000).pauses.at(-1)).toBeLessThan(3);
});

test('what comes when a slow stream becomes a fast one has room in the buffer', () => {
  // 100 Mbit/s.
  const { mostWaiting, pauses } = watch(choosePauses(LARGE), (ms) => (ms < 2000 ? 100 : 10_000), 3000);
  expect(mostWaiting * COUNTED).toBeLessThan(0.75 * LARGE);
  expect(pauses.at(-1)).toBe(10);
});
