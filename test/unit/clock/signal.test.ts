import { expect, test } from 'vitest';
import { Signal } from '../../../host/clock/signal.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

/** A signal whose waits are noted with the time at which they end. */
function startSignal() {
  const clock = new SimulatedClock();
  const signal = new Signal(clock);
  const ended: number[] = [];
  const wait = (ms: number) => void signal.wait(ms).then(() => ended.push(clock.monotonic()));
  return { clock, signal, ended, wait };
}

test('a wait ends when its time is over', async () => {
  const { clock, ended, wait } = startSignal();
  wait(100);
  await clock.advance(99);
  expect(ended).toEqual([]);
  await clock.advance(1);
  expect(ended).toEqual([100]);
});

test('what comes in ends a wait', async () => {
  const { clock, signal, ended, wait } = startSignal();
  wait(100);
  await clock.advance(30);
  signal.notify();
  await clock.advance(0);
  expect(ended).toEqual([30]);
});

test('what comes in between reset and wait ends the wait before it begins, what came before does not', async () => {
  const { clock, signal, ended, wait } = startSignal();
  signal.notify();
  signal.reset();
  wait(50);
  await clock.advance(10);
  expect(ended).toEqual([]);
  await clock.advance(40);
  signal.notify();
  wait(50);
  await clock.advance(0);
  expect(ended).toEqual([50, 50]);
});

test('no wait lasts longer than its own time, whatever sleeps are left over from others', async () => {
  const { clock, signal, ended, wait } = startSignal();
  for (const ms of [100, 5, 100, 1, 40]) {
    signal.reset();
    const from = clock.monotonic();
    ended.length = 0;
    wait(ms);
    for (let passed = 0; ended.length === 0 && passed < 1000; passed++) await clock.advance(1);
    expect(ended[0]! - from).toBeLessThanOrEqual(ms);
    expect(ended[0]! - from).toBeGreaterThan(0);
  }
});

test('a sleep left over from an earlier wait ends no later one before its time', async () => {
  const { clock, signal, ended, wait } = startSignal();
  wait(100);
  await clock.advance(60);
  signal.notify();
  await clock.advance(0);
  signal.reset();
  wait(100);
  await clock.advance(90);
  expect(ended).toEqual([60]);
  await clock.advance(10);
  expect(ended).toEqual([60, 160]);
});

test('a signal that is closed breaks its sleeps off', () => {
  const asleep: (AbortSignal | undefined)[] = [];
  const sleep = (_ms: number, abort?: AbortSignal) => {
    asleep.push(abort);
    return new Promise<void>(() => undefined);
  };
  const signal = new Signal({ now: () => 0, monotonic: () => 0, sleep });
  void signal.wait(100);
  expect(asleep.map((abort) => abort?.aborted)).toEqual([false]);
  signal.close();
  expect(asleep.map((abort) => abort?.aborted)).toEqual([true]);
});
