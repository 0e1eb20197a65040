import { describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../../host/clock/clock.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

describe.each<[string, () => Clock]>([
  ['the system clock', () => systemClock],
  ['a simulated clock', () => new SimulatedClock()],
])('%s', (_name, make) => {
  test('a sleep ends with the reason of its signal, before and during', async () => {
    const clock = make();
    const reason = new Error('enough');
    const stop = new AbortController();
    const sleep = clock.sleep(60_000, stop.signal);
    stop.abort(reason);
    await expect(sleep).rejects.toBe(reason);
    await expect(clock.sleep(60_000, stop.signal)).rejects.toBe(reason);
  });
});

test('the system clock tells the time and sleeps', async () => {
  const start = systemClock.monotonic();
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000);
  await systemClock.sleep(20);
  expect(systemClock.monotonic() - start).toBeGreaterThanOrEqual(19);
});

test.each([2 ** 31 - 1, 2 ** 40])(
  'a sleep of %i ms, as long as a timer can be or longer, does not end at once',
  async (ms) => {
    const stop = new AbortController();
    const sleep = systemClock.sleep(ms, stop.signal);
    const first = await Promise.race([sleep.then(() => 'ended'), systemClock.sleep(20).then(() => 'still asleep')]);
    expect(first).toBe('still asleep');
    stop.abort(new Error('enough'));
    await expect(sleep).rejects.toThrow('enough');
  },
);

describe('a simulated clock', () => {
  test('stands still, then wakes sleepers in order, those too that sleep again', async () => {
    const clock = new SimulatedClock(1_000);
    const woken: [string, number][] = [];
    const repeat = (async () => {
      for (let i = 0; i < 3; i++) {
        await clock.sleep(100);
        woken.push(['repeat', clock.monotonic()]);
      }
    })();
    const once = clock.sleep(150).then(() => woken.push(['once', clock.monotonic()]));
    await clock.advance(299);
    expect(woken).toEqual([
      ['repeat', 100],
      ['once', 150],
      ['repeat', 200],
    ]);
    expect([clock.monotonic(), clock.now()]).toEqual([299, 1_299]);
    await clock.advance(1);
    await Promise.all([repeat, once]);
  });

  test('its wall clock can be set without waking anybody', async () => {
    const clock = new SimulatedClock();
    let awake = false;
    const sleep = clock.sleep(10).then(() => (awake = true));
    clock.set(Date.UTC(2030, 0, 1));
    await clock.advance(9);
    expect([awake, clock.now(), clock.monotonic()]).toEqual([false, Date.UTC(2030, 0, 1) + 9, 9]);
    await clock.advance(1);
    expect(await sleep).toBe(true);
  });
});
