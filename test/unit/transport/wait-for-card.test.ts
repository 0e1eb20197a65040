import { expect, test } from 'vitest';
import { FormatError, TransportError } from '../../../apdu/errors.ts';
import { waitForCard } from '../../../host/transport/card/wait-for-card.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

/** Attempts that fail with these messages and then open a card; it notes when each was made. */
function attempts(clock: SimulatedClock, ...messages: string[]): { open: () => Promise<string>; times: number[] } {
  const times: number[] = [];
  const open = async () => {
    times.push(clock.monotonic());
    const message = messages[times.length - 1];
    if (message !== undefined) throw new TransportError('NO_CARD', message);
    return 'card';
  };
  return { open, times };
}

test('a card that is there is opened at once', async () => {
  const clock = new SimulatedClock();
  const { open, times } = attempts(clock);
  expect(await waitForCard(open, { clock })).toBe('card');
  expect(times).toEqual([0]);
});

test('pauses grow by half up to the longest', async () => {
  const clock = new SimulatedClock();
  const { open, times } = attempts(clock, 'a', 'a', 'a', 'a', 'a');
  const card = waitForCard(open, { clock, pauses: [100, 300] });
  await clock.advance(10_000);
  expect(await card).toBe('card');
  expect(times).toEqual([0, 100, 250, 475, 775, 1075]);
});

test('each new reason is told once', async () => {
  const clock = new SimulatedClock();
  const { open } = attempts(clock, 'no reader', 'no reader', 'no card', 'no reader');
  const reasons: string[] = [];
  const card = waitForCard(open, { clock, onWaiting: ({ message }) => reasons.push(message) });
  await clock.advance(10_000);
  expect(await card).toBe('card');
  expect(reasons).toEqual(['no reader', 'no card', 'no reader']);
});

test('an error that waiting does not mend is thrown', async () => {
  const clock = new SimulatedClock();
  const broken = async () => Promise.reject(new FormatError('not a soft card'));
  await expect(waitForCard(broken, { clock })).rejects.toThrow('not a soft card');
  const defect = async () => Promise.reject(new RangeError('a defect'));
  await expect(waitForCard(defect, { clock, isTemporary: () => true })).rejects.toThrow(RangeError);
  const { open, times } = attempts(clock, 'no reader');
  await expect(waitForCard(open, { clock, isTemporary: () => false })).rejects.toThrow('no reader');
  expect(times).toEqual([0]);
});

test('the signal ends the waiting, before an attempt and in a pause', async () => {
  const clock = new SimulatedClock();
  const enough = new Error('enough');
  const stop = new AbortController();
  const { open, times } = attempts(clock, 'a', 'a', 'a', 'a');
  const card = waitForCard(open, { clock, signal: stop.signal });
  await clock.advance(300);
  stop.abort(enough);
  await expect(card).rejects.toBe(enough);
  await expect(waitForCard(open, { clock, signal: stop.signal })).rejects.toBe(enough);
  expect(times).toEqual([0, 250]);
});

test('a change ends a pause early, and its listener is told to stop', async () => {
  const clock = new SimulatedClock();
  const { open, times } = attempts(clock, 'a', 'a');
  const signals: AbortSignal[] = [];
  const wakeUp = async (signal: AbortSignal) => {
    signals.push(signal);
    // The first change comes after 40 ms, another one not before the pause is over.
    await clock.sleep(signals.length === 1 ? 40 : 60_000, signal);
  };
  const card = waitForCard(open, { clock, wakeUp });
  await clock.advance(1_000);
  expect(await card).toBe('card');
  expect(times).toEqual([0, 40, 290]);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
});
