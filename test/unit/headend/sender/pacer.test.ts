import { expect, test } from 'vitest';
import { Pacer } from '../../../../host/headend/sender/pacer.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';

/** Lets the packets of a group go. @returns ms from the start to each. */
async function paceAll(pacer: Pacer, clock: SimulatedClock, at: readonly number[]): Promise<number[]> {
  const from = clock.monotonic();
  const times: number[] = [];
  const packets = at.map((mediaTime) => ({ at: mediaTime }));
  while (times.length < at.length) {
    const first = times.length;
    const to = await clock.advanceUntil(pacer.next(packets, first));
    while (times.length < to) times.push(clock.monotonic() - from);
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

test('of packets that are all late, no more than 48 go without a pause', async () => {
  const clock = new SimulatedClock();
  const pacer = new Pacer(1, clock);
  pacer.start(0, 0);
  await clock.advance(500);
  const times = await paceAll(
    pacer,
    clock,
    Array.from({ length: 100 }, () => 0),
  );
  expect([times[47], times[48], times[95], times[96], times[99]]).toEqual([0, 0.25, 0.25, 0.5, 0.5]);
});

test('a stream whose packets are due as they come starts at its own time, and is never put off', async () => {
  const clock = new SimulatedClock();
  const pacer = new Pacer(1, clock);
  await clock.advance(70_000);
  pacer.startAt(10_000);
  expect(await paceAll(pacer, clock, [0, 59_000, 60_000, 60_100])).toEqual([0, 0, 0, 100]);
});

test('a stream of 5 Mbit/s wakes the process a hundred times a second, and no packet is more than 10 ms late', async () => {
  const clock = new SimulatedClock();
  const pacer = new Pacer(1, clock);
  pacer.start(0, 0);
  const at = Array.from({ length: 475 }, (_, i) => (i * 1000) / 475);
  const times = await paceAll(pacer, clock, at);
  expect(new Set(times).size).toBeLessThanOrEqual(105);
  for (const [i, time] of times.entries()) {
    expect(time).toBeGreaterThanOrEqual(at[i]! - 1e-6);
    expect(time).toBeLessThanOrEqual(at[i]! + 10 + 1e-6);
  }
  expect(pacer.lateness.quantile(0.5)).toBeLessThanOrEqual(6);
  expect(pacer.lateness.quantile(1)).toBeLessThanOrEqual(10);
});

test('a stream of 900 Mbit/s goes in bursts that half a small receive buffer holds, in time', async () => {
  const clock = new SimulatedClock();
  const pacer = new Pacer(1, clock);
  pacer.start(0, 0);
  const spacing = (1316 * 8) / 900_000;
  for (let group = 0; group < 100; group++) {
    const at = Array.from({ length: 100 }, (_, i) => (100 * group + i) * spacing);
    const times = await paceAll(pacer, clock, at);
    const sizes = new Map<number, number>();
    for (const time of times) sizes.set(time, (sizes.get(time) ?? 0) + 1);
    expect(Math.max(...sizes.values())).toBeLessThanOrEqual(48);
  }
  expect(clock.monotonic()).toBeCloseTo(10_000 * spacing, 0);
  expect(pacer.lateness.quantile(1)).toBeLessThan(0.5);
});

test('fifty streams wake the process as often as one', async () => {
  const clock = new SimulatedClock();
  const wakes = new Set<number>();
  const stream = async (shift: number) => {
    const pacer = new Pacer(1, clock);
    pacer.start(0, shift);
    const packets = Array.from({ length: 475 }, (_, i) => ({ at: (i * 1000) / 475 }));
    for (let from = 0; from < packets.length;) {
      from = await pacer.next(packets, from);
      wakes.add(clock.monotonic());
    }
    expect(pacer.lateness.quantile(1)).toBeLessThanOrEqual(10);
  };
  await clock.advanceUntil(Promise.all(Array.from({ length: 50 }, (_, i) => stream((i * 7.3) % 50))));
  expect(wakes.size).toBeLessThan(220);
});
