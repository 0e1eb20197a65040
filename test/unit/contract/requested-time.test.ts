import { describe, expect, test } from 'vitest';
import type { RequestKind } from '../../../apdu/decode-module/requests/signed-request.ts';
import { deadlineOf, isSkewed, resolveRequestedTime } from '../../../host/contract/requests/requested-time.ts';
import { NOW } from '../../support/headend/sample-offer.ts';

/** Slots of 600 s, one of which starts 100 s before now. */
const GRID = { start: NOW - 100, length: 600, offset: 60 };

describe('without slots', () => {
  test.each<[RequestKind, number, number, object | undefined]>([
    ['join', NOW, NOW + 1800, { from: NOW, to: NOW + 1800 }],
    ['join', NOW, NOW, undefined],
    ['join', NOW, 2, undefined],
    ['extend', NOW + 600, NOW + 900, { from: NOW + 600, to: NOW + 900 }],
    ['leave', NOW, NOW, { from: NOW, to: NOW }],
    ['leave', NOW, NOW - 10, { from: NOW, to: NOW - 10 }],
    ['leave', NOW, 0, undefined],
    ['keyRequest', NOW, 0, { from: NOW }],
    ['keyRequest', NOW, NOW + 60, { from: NOW, to: NOW + 60 }],
    ['keyRequest', NOW, 1, undefined],
    ['stay', NOW, 0, { from: NOW }],
  ])('%s from %i to %i', (kind, from, to, expected) => {
    expect(resolveRequestedTime({ kind, from, to })).toEqual(expected);
  });
});

describe('with slots', () => {
  test('a join lasts to the end of the slot of its start, and the whole slots counted more', () => {
    expect(resolveRequestedTime({ kind: 'join', from: NOW, to: 0 }, GRID)).toEqual({ from: NOW, to: NOW + 500 });
    expect(resolveRequestedTime({ kind: 'join', from: NOW, to: 2 }, GRID)).toEqual({ from: NOW, to: NOW + 1700 });
    // A start at a slot's start has that whole slot.
    const start = NOW - 100;
    expect(resolveRequestedTime({ kind: 'join', from: start, to: 0 }, GRID)).toEqual({ from: start, to: NOW + 500 });
  });

  test('an extension counts whole slots from the agreed end', () => {
    const from = NOW + 500;
    expect(resolveRequestedTime({ kind: 'extend', from, to: 2 }, GRID)).toEqual({ from, to: NOW + 1700 });
    expect(resolveRequestedTime({ kind: 'extend', from, to: 0 }, GRID)).toBeUndefined();
  });

  test('a leave to 0 is at the end of the present slot', () => {
    expect(resolveRequestedTime({ kind: 'leave', from: NOW, to: 0 }, GRID)).toEqual({ from: NOW, to: NOW + 500 });
  });

  test('a leave at a time is at the end of the slot of that time', () => {
    for (const to of [NOW - 700, NOW, NOW + 500]) {
      expect(resolveRequestedTime({ kind: 'leave', from: NOW, to }, GRID)).toEqual({ from: NOW, to: NOW + 500 });
    }
    expect(resolveRequestedTime({ kind: 'leave', from: NOW, to: NOW + 501 }, GRID)).toMatchObject({ to: NOW + 1100 });
  });

  test('the deadline of a slot is the offset before its end', () => {
    expect(deadlineOf(NOW + 500, GRID)).toBe(NOW + 440);
  });
});

test.each<[RequestKind, number, boolean]>([
  ['join', NOW - 31, true],
  ['join', NOW - 30, false],
  ['join', NOW + 86_400, false],
  ['extend', NOW - 31, true],
  ['extend', NOW + 1800, false],
  ['leave', NOW + 30, false],
  ['leave', NOW + 31, true],
  ['keyRequest', NOW - 31, true],
  ['keyRequest', NOW + 31, true],
  ['stay', NOW + 31, true],
])('%s from %i: skewed %s', (kind, from, expected) => {
  expect(isSkewed({ kind, from, to: from + 100 }, NOW)).toBe(expected);
});
