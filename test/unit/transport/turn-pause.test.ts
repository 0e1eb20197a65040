import { expect, test } from 'vitest';
import { nextPause } from '../../../host/transport/network/turn-pause.ts';

const BOUNDS = { min: 10, max: 40 };
/** Octets of the largest datagram, with what Linux counts for it in a socket's buffer. */
const COUNTED = 2304;

/** Looks at a socket into which datagrams come at a rate: pauses, and the most that ever waited. */
function watch(perSecond: (ms: number) => number, length: number) {
  let pause = BOUNDS.min;
  let mostWaiting = 0;
  const pauses: number[] = [];
  for (let ms = 0; ms < length; ms += pause) {
    const waiting = Math.round((perSecond(ms) * pause) / 1000);
    mostWaiting = Math.max(mostWaiting, waiting);
    pauses.push(pause);
    pause = nextPause(pause, waiting, BOUNDS);
  }
  return { pauses, mostWaiting };
}

test('a slow stream wakes the process 25 times a second, a fast one 100 times', () => {
  // 5 and 200 Mbit/s.
  expect(watch(() => 475, 3000).pauses.at(-1)).toBe(40);
  expect(watch(() => 19_000, 3000).pauses.at(-1)).toBe(10);
  const { pauses } = watch(() => 1900, 3000);
  expect(new Set(pauses.slice(-10)).size).toBe(1);
});

test('what comes when a slow stream becomes a fast one has room in the buffer', () => {
  // 100 Mbit/s; the sockets of long pauses have 4 MiB at least, of which a third holds packets.
  const { mostWaiting, pauses } = watch((ms) => (ms < 2000 ? 100 : 10_000), 3000);
  expect(mostWaiting * COUNTED).toBeLessThan((4 * 1024 * 1024) / 3);
  expect(pauses.at(-1)).toBe(10);
});
