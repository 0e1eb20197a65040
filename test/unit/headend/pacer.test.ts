import { expect, test } from 'vitest';
import { Pacer } from '../../../host/headend/sender/pacer.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

/** Lets packets go one after the other. @returns ms from the start to each. */
async function paceAll(pacer: Pacer, clock: SimulatedClock, at: readonly number[]): Promise<number[]> {
  const from = clock.monotonic();
  const times: number[] = [];
  for (const mediaTime of at) {
    await clock.advanceUntil(pacer.waitUntil(mediaTime));
    times.push(clock.monotonic() - from);
  }
  return times;
}

test('packets go at their media time, the first one after its slack', async () => {
  const clock = new SimulatedClock();
  const pacer = new Pacer(1, clock);
  pacer.start(0, 250);
  expect(await paceAll(pacer, clock, [0, 100, 1000])).toEqual([250, 350, 1250]);
});

test('the speed divides all of it', async () => {
  const clock = new SimulatedClock();
  const pacer = new Pacer(10, clock);
  pacer.start(0, 250);
  expect(await paceAll(pacer, clock, [0, 1000, 3_600_000])).toEqual([25, 125, 360_025]);
});

test('a stream catches up when it is up to a second late, and goes on from the present when it is later', async () => {
  const clock = new SimulatedClock();
  const pacer = new Pacer(1, clock);
  pacer.start(0, 0);
  await clock.advance(1000);
  expect(await paceAll(pacer, clock, [0, 1500])).toEqual([0, 500]);
  await clock.advance(60_000);
  expect(await paceAll(pacer, clock, [1600, 1700])).toEqual([0, 100]);
});

test('a source that lies more than a second behind is sent that much earlier', async () => {
  const clock = new SimulatedClock();
  const pacer = new Pacer(1, clock);
  pacer.start(0, 0);
  pacer.catchUp(1000);
  pacer.catchUp(1300);
  expect(await paceAll(pacer, clock, [1000])).toEqual([700]);
});

test('of packets that are all late, no more than 47 go without a pause', async () => {
  const clock = new SimulatedClock();
  const pacer = new Pacer(1, clock);
  pacer.start(0, 0);
  await clock.advance(500);
  const times = await paceAll(
    pacer,
    clock,
    Array.from({ length: 100 }, () => 0),
  );
  expect([times[46], times[47], times[94], times[95], times[99]]).toEqual([0, 1, 1, 2, 2]);
});

test('a stream whose packets are due as they come starts at its own time, and is never put off', async () => {
  const clock = new SimulatedClock();
  const pacer = new Pacer(1, clock);
  await clock.advance(70_000);
  pacer.startAt(10_000);
  expect(await paceAll(pacer, clock, [0, 59_000, 60_000, 60_100])).toEqual([0, 0, 0, 100]);
});
