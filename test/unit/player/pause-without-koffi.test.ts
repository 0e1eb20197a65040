import { expect, test, vi } from 'vitest';
import { openOutput } from '../../../host/player/open-output.ts';
import { MAX_RESUME, maxPaid, measurePause, startHttpReader } from '../../support/streams/paused-player.ts';

// It is an optional dependency: where it is not installed its import fails.
vi.mock('koffi', () => {
  throw new Error('koffi is not installed');
});

const LOOPBACK = '127.0.0.1';

test.concurrent.each([1, 4, 20])('a player that pauses by HTTP at %i Mbit/s, without koffi', async (megabits) => {
  const output = await openOutput(`http://${LOOPBACK}:0`, LOOPBACK);
  const pause = await measurePause(output, startHttpReader(output.where), megabits);
  expect(pause.isStopped).toBe(true);
  expect(pause.paid).toBeLessThanOrEqual(maxPaid(megabits));
  expect(pause.goesOnAfter).toBeLessThan(MAX_RESUME);
});
