import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByeWatch } from '../../../host/bridge/bye-watch.ts';
import { encodeGoodbye } from '../../../host/stream/packet/rtcp-goodbye.ts';

const SSRC = 0x1234;
const BYE = encodeGoodbye({ ssrc: SSRC, now: 0, timestamp: 0, packets: 0, octets: 0, cname: 'test' });

/** A stream whose groups come at these ms, and a BYE at another. */
function hear(groups: readonly number[], bye: number, duration?: number) {
  const watch = new ByeWatch();
  const intake = { lastOwnArrival: -Infinity, isEmpty: true, canEnd: (ssrc: number) => ssrc === SSRC };
  /** When the run ends, from 10 ms to 10 ms; undefined when it does not up to then. */
  const endBefore = (until: number) => {
    const waiting = [...groups];
    let heard = false;
    for (let now = 0; now <= until; now += 10) {
      while (waiting[0] !== undefined && waiting[0] <= now) {
        intake.lastOwnArrival = waiting.shift()!;
        watch.groupOpened(intake.lastOwnArrival, duration);
      }
      if (!heard && now >= bye) {
        watch.receive(BYE, intake, now);
        heard = true;
      }
      if (watch.isOver(intake, now, () => false)) return now;
    }
    return undefined;
  };
  return { endBefore };
}

const every = (gap: number, count: number) => Array.from({ length: count }, (_none, i) => i * gap);

describe('a forged BYE', () => {
  test.each([
    [100, 20],
    [1000, 20],
    [2000, 20],
    [3000, 20],
  ])('does not end a stream with a group every %i ms', (gap, count) => {
    for (const into of [0.1, 0.5, 0.9]) {
      const bye = 5 * gap + into * gap;
      expect(hear(every(gap, count), bye).endBefore((count - 1) * gap)).toBeUndefined();
    }
  });

  test('does not end a stream of which only a group or two have come', () => {
    for (const bye of [10, 1990, 2010, 3990]) {
      for (const duration of [0, 2000]) expect(hear(every(2000, 9), bye, duration).endBefore(16_000)).toBeUndefined();
    }
  });

  test('does not end a stream with uneven gaps, at whatever time the BYE comes', () => {
    const gaps = fc.array(fc.integer({ min: 100, max: 290 }), { minLength: 100, maxLength: 100 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 0, max: 9000 }), (lengths, bye) => {
        let at = 0;
        const groups = lengths.map((length) => (at += length));
        expect(hear(groups, bye).endBefore(at)).toBeUndefined();
      }),
    );
  });
});

describe('the end of a stream', () => {
  test.each([
    [20, 310],
    [100, 310],
    [250, 760],
    [1000, 3010],
    [5000, 10_010],
  ])('with a group every %i ms is seen %i ms later', (gap, wait) => {
    const groups = every(gap, 20);
    const last = groups.at(-1)!;
    expect(hear(groups, last).endBefore(last + 20_000)).toBe(last + wait);
  });

  test('is seen as quickly as before when a long gap is long ago', () => {
    const groups = [0, 3000, ...every(100, 600).map((at) => 3100 + at)];
    const last = groups.at(-1)!;
    expect(hear(groups, last).endBefore(last + 20_000)).toBe(last + 310);
  });

  test.each([
    [0, 10_010],
    [20, 1510],
    [900, 2710],
  ])('of one group of %i ms is seen %i ms later', (duration, wait) => {
    expect(hear([0], 0, duration).endBefore(20_000)).toBe(wait);
  });

  test('is never seen without a BYE', () => {
    expect(hear(every(100, 20), Infinity).endBefore(60_000)).toBeUndefined();
  });

  test('is seen although somebody goes on sending packets that nothing opens, at the address of the sender too', () => {
    const watch = new ByeWatch();
    const intake = { lastOwnArrival: 0, isEmpty: false, canEnd: (ssrc: number) => ssrc === SSRC };
    for (const at of every(200, 20)) watch.groupOpened(at, 200);
    watch.receive(BYE, intake, 3800);
    let endedAt: number | undefined;
    for (let now = 3800; now < 30_000 && endedAt === undefined; now += 10) {
      if (now % 500 === 0) intake.lastOwnArrival = now;
      if (watch.isOver(intake, now, () => false)) endedAt = now;
    }
    expect(endedAt).toBeLessThan(3800 + 6000);
  });

  test('is not seen while packets come and no group can be opened, as without credit', () => {
    const watch = new ByeWatch();
    const intake = { lastOwnArrival: 0, isEmpty: true, canEnd: (ssrc: number) => ssrc === SSRC };
    for (const at of every(200, 20)) watch.groupOpened(at, 200);
    watch.receive(BYE, intake, 3800);
    for (let now = 3800; now < 30_000; now += 10) {
      intake.lastOwnArrival = now;
      expect(watch.isOver(intake, now, () => true)).toBe(false);
    }
  });
});
