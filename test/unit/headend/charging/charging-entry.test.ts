import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FREE_OF_CHARGE } from '../../../../host/headend/charging/charge-terms.ts';
import {
  type ChargingEntry,
  endOf,
  extendEntry,
  formatTime,
  openEntry,
  readEntry,
  secondsOf,
  shortenEntry,
  startOf,
} from '../../../../host/headend/charging/charging-entry.ts';
import { NOW } from '../../../support/headend/sample-offer.ts';
import { nameTimes, TIMELINE_SESSION, TIMELINE_USER } from '../../../support/headend/timeline-names.ts';

const T = { tS1: NOW + 100, tE1: NOW + 1900, tX2: NOW + 2500, tE3: NOW + 3000, tE2: NOW + 3700 };
const OPENED = {
  id: 1,
  user: TIMELINE_USER,
  session: TIMELINE_SESSION,
  service: 7,
  charges: FREE_OF_CHARGE,
} as const;
const JOINED = openEntry(OPENED, { from: T.tS1, to: T.tE1 });

/** `(tE1-tS1), expiry tE1`, as the timeline prints it. */
function print(entry: ChargingEntry, now: number): string | undefined {
  const name = nameTimes(T);
  const state = readEntry(entry, now);
  return state && `${formatTime(state.time, name)}, expiry ${name(state.expiry)}`;
}

test('an entry is printed with user and session from its start on', () => {
  expect(readEntry(JOINED, T.tS1 - 1)).toBeUndefined();
  expect(readEntry(JOINED, T.tS1)).toEqual({
    user: '21323421',
    session: 'finnkino 457286529 172.10.20.212',
    time: [{ from: T.tS1, to: T.tE1 }],
    expiry: T.tE1,
  });
  expect(print(JOINED, T.tS1)).toBe('(tE1-tS1), expiry tE1');
});

test('an extension stands from the end that it begins at, not from its request', () => {
  const extended = extendEntry(JOINED, T.tE2);
  expect(print(extended, T.tE1 - 1)).toBe('(tE1-tS1), expiry tE1');
  expect(print(extended, T.tE1)).toBe('(tE1-tS1)+(tE2-tE1), expiry tE2');
  expect(endOf(extended)).toBe(T.tE2);
});

test('a leave stands at once, and its part is below zero', () => {
  const left = shortenEntry(extendEntry(JOINED, T.tE2), T.tE3, T.tX2);
  expect(print(left, T.tX2 - 1)).toBe('(tE1-tS1)+(tE2-tE1), expiry tE2');
  expect(print(left, T.tX2)).toBe('(tE1-tS1)+(tE2-tE1)+(tE3-tE2), expiry tE3');
  expect(secondsOf(left)).toBe(T.tE3 - T.tS1);
});

describe('an extension that is shortened before it begins', () => {
  test('to an end within it', () => {
    const left = shortenEntry(extendEntry(JOINED, T.tE2), T.tE3, T.tS1 + 1);
    expect(print(left, T.tS1 + 1)).toBe('(tE1-tS1)+(tE2-tE1)+(tE3-tE2), expiry tE3');
  });

  test('to an end before it', () => {
    const end = T.tS1 + 300;
    const left = shortenEntry(extendEntry(JOINED, T.tE2), end, T.tS1 + 1);
    expect(secondsOf(left)).toBe(300);
    expect(endOf(left)).toBe(end);
  });
});

test('a join that is left before its start comes to nothing', () => {
  const left = shortenEntry(JOINED, NOW, NOW);
  expect(print(left, NOW)).toBeUndefined();
  expect(secondsOf(left)).toBe(0);
  expect(endOf(left)).toBe(T.tS1);
});

test('the time is always that from the start to the agreed end, whatever came in between', () => {
  const step = fc.record({ isLeave: fc.boolean(), by: fc.integer({ min: 1, max: 5000 }), after: fc.nat(2000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let entry = JOINED;
      let now = NOW;
      for (const { isLeave, by, after } of steps) {
        now += after;
        entry = isLeave ? shortenEntry(entry, endOf(entry) - by, now) : extendEntry(entry, endOf(entry) + by);
        expect(secondsOf(entry)).toBe(endOf(entry) - startOf(entry));
      }
      // Long afterwards all parts stand, in the order in which they were asked for.
      const state = readEntry(entry, now + 1_000_000)!;
      expect(state.time).toHaveLength(steps.length + 1);
      expect(state.expiry).toBe(endOf(entry));
    }),
  );
});
