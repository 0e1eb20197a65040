import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PcrClock } from '../../../../host/headend/sources/ts/pcr-clock.ts';
import { PCR_MODULUS } from '../../../../host/headend/sources/ts/ts-packet.ts';

const MS = 27_000;
const pcrOf = (ms: number, pid = 0x100, discontinuity = false) => ({
  pid,
  ticks: (ms * MS) % PCR_MODULUS,
  discontinuity,
});

/** A clock that has followed PCRs 40 ms apart, 1,000 octets each, up to 4 s. */
function makeRunning(): PcrClock {
  const clock = new PcrClock();
  for (let ms = 0; ms <= 4000; ms += 40) clock.take(pcrOf(ms), 1000, 1000);
  return clock;
}

test.each([
  ['the next one', pcrOf(4040), 40 * MS],
  ['one with a second lost', pcrOf(5000), 1000 * MS],
  ['the same again', pcrOf(4000), undefined],
  ['one that came too late', pcrOf(3970), undefined],
  ['one an hour ahead', pcrOf(3_604_000), 'jump'],
  ['one 3 s ahead without the octets for it', pcrOf(7000), 'jump'],
  ['one that starts anew', pcrOf(0), 'jump'],
  ['one with the discontinuity indicator', pcrOf(4040, 0x100, true), 'jump'],
  ['one of another PID', pcrOf(4040, 0x200), undefined],
])('%s', (_name, pcr, expected) => {
  expect(makeRunning().take(pcr, 1000, 1000)).toBe(expected);
});

test('a step of 3 s counts when its octets account for it', () => {
  expect(makeRunning().take(pcrOf(7000), 60_000, 60_000)).toBe(3000 * MS);
});

test('another PID is followed once it has run for 200 ms alone', () => {
  const clock = makeRunning();
  const steps = Array.from({ length: 8 }, (_none, i) =>
    clock.take(pcrOf(90_000 + i * 40, 0x200), 1000 + 500 * i, 3000),
  );
  expect(steps.findIndex((step) => step !== undefined)).toBe(6);
  // The last 3,000 octets at its rate: 500 in 40 ms.
  expect(steps[6]).toEqual({ waiting: 240 * MS });
  expect(steps[7]).toBe(40 * MS);
});

test('whatever PCRs come, no step is longer than 10 s, and the usual step and rate stay finite', () => {
  const pcr = fc.record({
    pid: fc.integer({ min: 1, max: 3 }),
    ticks: fc.integer({ min: 0, max: PCR_MODULUS - 1 }),
    discontinuity: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(pcr, fc.integer({ min: 188, max: 10_000 }))), (stream) => {
      const clock = new PcrClock();
      for (const [next, octets] of stream) {
        const step = clock.take(next, octets, octets);
        if (typeof step === 'number') expect(step).toBeLessThanOrEqual(10_000 * MS);
        expect(clock.longest).toBeLessThanOrEqual(10_000 * MS);
        const ticks = clock.ticksOf(188);
        if (ticks !== undefined) expect(Number.isSafeInteger(ticks) && ticks >= 0).toBe(true);
      }
    }),
  );
});
