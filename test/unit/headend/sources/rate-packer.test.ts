import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat } from '../../../../apdu/octets.ts';
import { MediaTimeline } from '../../../../host/headend/sources/media-timeline.ts';
import { MAX_RATE, MIN_RATE, RatePacker } from '../../../../host/headend/sources/rate-packer.ts';

function pack(octets: Uint8Array, rate: number, size: number, chunk: number) {
  const packer = new RatePacker(new MediaTimeline(0), rate, size);
  const payloads = [];
  for (let at = 0; at < octets.length; at += chunk) payloads.push(...packer.push(octets.subarray(at, at + chunk)));
  return [...payloads, ...packer.flush()];
}

test('25,000,000 octets at 8,000,000 bit/s last 25 seconds', () => {
  const payloads = pack(new Uint8Array(25_000_000), 8_000_000, 1316, 0x10000);
  expect(payloads).toHaveLength(18_997);
  expect(payloads.at(-1)!.octets).toHaveLength(25_000_000 - 18_996 * 1316);
  expect(payloads.reduce((sum, { duration }) => sum + duration, 0)).toBe(25_000);
  // 1,316 octets are 1.316 ms.
  expect(payloads.slice(0, 5).map(({ duration }) => duration)).toEqual([1, 1, 1, 2, 1]);
  expect(payloads[1]!.at).toBeCloseTo(1.316, 9);
});

test('at any rate and in any chunks every octet comes in order, and every millisecond is counted', () => {
  const source = fc.record({
    octets: fc.uint8Array({ maxLength: 5000 }),
    rate: fc.integer({ min: MIN_RATE, max: MAX_RATE }),
    size: fc.constantFrom(188, 1316),
    chunk: fc.integer({ min: 1, max: 3000 }),
  });
  fc.assert(
    fc.property(source, ({ octets, rate, size, chunk }) => {
      const payloads = pack(octets, rate, size, chunk);
      expect(concat(...payloads.map((payload) => payload.octets))).toEqual(octets);
      for (const payload of payloads.slice(0, -1)) expect(payload.octets).toHaveLength(size);
      const ms = payloads.reduce((sum, { duration }) => sum + duration, 0);
      expect(Math.abs(ms - (octets.length * 8000) / rate)).toBeLessThanOrEqual(1);
    }),
  );
});
