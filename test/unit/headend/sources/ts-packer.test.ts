import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat } from '../../../../apdu/octets.ts';
import { MediaTimeline } from '../../../../host/headend/sources/media-timeline.ts';
import { MAX_TS_PAYLOAD_DURATION, TsPacker } from '../../../../host/headend/sources/ts/ts-packer.ts';
import { PCR_MODULUS, TS_LAYOUTS } from '../../../../host/headend/sources/ts/ts-packet.ts';
import type { MediaPayload } from '../../../../host/stream/sealing/group-sealer.ts';
import { durationOf, expectWhole, MS, pack, steady } from '../../../support/streams/packed-ts.ts';
import { makeTransportStream, toLayout } from '../../../support/streams/transport-stream.ts';

describe('times', () => {
  test('at a constant rate every payload gets its share, exact to the millisecond and the RTP tick', () => {
    const stream = makeTransportStream(steady(700));
    const payloads = pack(stream, 1000, 7, 0xffffff00);
    expectWhole(payloads, stream);
    expect(payloads).toHaveLength(100);
    // 10 packets in 40 ms.
    expect(durationOf(payloads)).toBe(2800);
    for (const [i, { octets, at, duration, timestamp }] of payloads.entries()) {
      expect(octets).toHaveLength(1316);
      expect(at).toBeCloseTo(i * 28, 6);
      expect(duration).toBe(28);
      expect(timestamp).toBe((0xffffff00 + i * 28 * 90) % 2 ** 32);
    }
  });

  test('a variable rate is followed from PCR to PCR', () => {
    const plans = [
      ...steady(10, 40 * MS, 0),
      ...Array.from({ length: 70 }, (_none, i) => (i === 0 ? { pcr: 40 * MS } : { pid: 0x101 })),
      ...steady(20, 40 * MS, 80 * MS),
    ];
    const payloads = pack(makeTransportStream(plans), 500, 1);
    const within = (from: number, to: number) => durationOf(payloads.slice(from, to));
    // Nothing shows how long what follows the last PCR lasts: 90 packets took 120 ms.
    expect([within(0, 10), within(10, 80), within(80, 90), within(90, 100)]).toEqual([40, 40, 40, 13]);
  });

  test('packets in front of the first PCR go at the rate that follows', () => {
    const plans = [...Array.from({ length: 5 }, () => ({ pid: 0x101 })), ...steady(20)];
    const payloads = pack(makeTransportStream(plans), 500, 1);
    expect(durationOf(payloads.slice(0, 5))).toBe(20);
    expect(durationOf(payloads)).toBe(100);
  });

  test('a PCR that starts anew at 2^33 is not a jump', () => {
    const payloads = pack(makeTransportStream(steady(100, 40 * MS, PCR_MODULUS - 100 * MS)));
    expect(durationOf(payloads)).toBe(400);
  });

  test.each([
    ['forwards', 3_600_000 * MS],
    ['backwards', PCR_MODULUS - 5000 * MS],
    ['with its indicator, within what could be a way', 1000 * MS],
  ])('the rate goes on over a jump %s', (name, jump) => {
    const after = steady(50, 40 * MS, (200 * MS + jump) % PCR_MODULUS);
    const plans = [...steady(50), { ...after[0]!, discontinuity: name.includes('indicator') }, ...after.slice(1)];
    const stream = makeTransportStream(plans);
    const payloads = pack(stream);
    expectWhole(payloads, stream);
    expect(durationOf(payloads)).toBe(400);
  });

  test('clips in a row last as long as all of them, whatever follows the last PCR of each', () => {
    // 24 pictures in 0.96 s; the last interval is almost empty, and sound for 40 ms follows the last PCR.
    const clip = Array.from({ length: 25 }, (_none, i) => [
      { pcr: i * 40 * MS },
      ...Array.from({ length: i === 23 ? 1 : 12 }, () => ({ pid: 0x101 })),
    ]).flat();
    for (const chunk of [188, 1000, 100_000]) {
      const payloads = pack(makeTransportStream(Array.from({ length: 10 }, () => clip).flat()), chunk);
      expect(durationOf(payloads)).toBeGreaterThanOrEqual(9900);
      expect(durationOf(payloads)).toBeLessThanOrEqual(10_100);
    }
  });

  test.each([2000, 2500, 5000])('PCRs %i ms apart are a clock like any other', (ms) => {
    const payloads = pack(makeTransportStream(steady(2000, ms * MS)));
    expect(durationOf(payloads)).toBe(200 * ms);
  });

  test('one long step among short ones is a jump, unless the octets account for it', () => {
    const lost = [...steady(100), ...steady(100, 40 * MS, 5000 * MS)];
    expect(durationOf(pack(makeTransportStream(lost)))).toBe(800);
    const there = [
      ...steady(1000),
      ...Array.from({ length: 1000 }, () => ({ pid: 0x101 })),
      ...steady(10, 0, 8000 * MS),
    ];
    expect(durationOf(pack(makeTransportStream(there)))).toBe(8040);
  });

  test('PCRs of another PID do not count while the first one has its own', () => {
    const plans = steady(400).map((plan, i) => (i % 10 === 5 ? { pid: 0x200, pcr: i * 7 * MS } : plan));
    expect(durationOf(pack(makeTransportStream(plans)))).toBe(1600);
  });

  test('a PCR that comes twice counts once', () => {
    const plans = steady(100).flatMap((plan) => ('pcr' in plan ? [plan, plan] : [plan]));
    expect(durationOf(pack(makeTransportStream(plans)))).toBe(400);
  });

  test('when the source is switched to another PID of PCRs, the stream goes on within 250 ms', () => {
    const before = steady(500);
    const after = steady(500, 80 * MS, 7_000_000 * MS, 0x300);
    const stream = makeTransportStream([...before, ...after]);
    const packer = new TsPacker(new MediaTimeline(0), 7, TS_LAYOUTS.ts);
    const payloads: MediaPayload[] = [];
    let longestWait = 0;
    let octets = 0;
    for (let at = 0; at < stream.length; at += 188) {
      const ready = packer.push(stream.subarray(at, at + 188));
      payloads.push(...ready);
      octets += ready.reduce((sum, payload) => sum + payload.octets.length, 0);
      // Packets of the first source last 4 ms, of the second 8 ms; the start waits for an average.
      if (at >= 188 * 100) longestWait = Math.max(longestWait, (at + 188 - octets) / 188);
    }
    payloads.push(...packer.flush());
    expectWhole(payloads, stream);
    expect(longestWait * 8).toBeLessThanOrEqual(360);
    expect(durationOf(payloads)).toBe(500 * 4 + 500 * 8);
  });

  test('a packet with the transport error indicator has no PCR', () => {
    const stream = makeTransportStream(steady(100));
    stream[188 * 50 + 1]! |= 0x80;
    stream.set([0xff, 0xff], 188 * 50 + 6);
    expect(durationOf(pack(stream))).toBe(400);
  });

  test('when the PCRs stop, the rate goes on, and another PID may carry them later', () => {
    const silent = Math.ceil(0x400000 / 188) + 1000;
    const plans = [
      ...steady(100),
      ...Array.from({ length: silent }, () => ({ pid: 0x101 })),
      ...steady(100, 80 * MS, 0, 0x300),
    ];
    const stream = makeTransportStream(plans);
    const payloads = pack(stream, 100_000);
    expectWhole(payloads, stream);
    const rest = 100 + silent;
    expect(durationOf(payloads)).toBeGreaterThanOrEqual(rest * 4 + 800 - 1);
    expect(durationOf(payloads)).toBeLessThanOrEqual(rest * 4 + 800 + 1);
  });

  test('a slow stream goes in smaller payloads rather than late ones', () => {
    const payloads = pack(makeTransportStream(Array.from({ length: 20 }, (_none, i) => ({ pcr: i * 600 * MS }))));
    expect(new Set(payloads.map(({ octets }) => octets.length))).toEqual(new Set([188]));
    expect(durationOf(payloads)).toBe(12_000);
  });

  test.each([
    ['none at all', Array.from({ length: 30_000 }, () => ({})), 'in its first 4 MiB'],
    ['one', [{ pcr: 5 }, ...Array.from({ length: 10 }, () => ({}))], 'at its end'],
  ])('with %s PCR the stream is refused, and the error names --rate', (_name, plans) => {
    expect(() => pack(makeTransportStream(plans), 100_000)).toThrow(expect.objectContaining({ code: 'NO_PCR' }));
    expect(() => pack(makeTransportStream(plans), 100_000)).toThrow('--rate');
  });
});

test.each([
  ['192', TS_LAYOUTS['ts-192'], 4, 0],
  ['204', TS_LAYOUTS['ts-204'], 0, 16],
])('packets of %s octets stay whole and keep their time', (_name, layout, before, behind) => {
  const stream = toLayout(makeTransportStream(steady(600)), before, behind);
  const source = concat(stream.subarray(100), Uint8Array.of(1, 2, 3), stream);
  for (const chunk of [100, 1316, 100_000]) {
    const packer = new TsPacker(new MediaTimeline(0), 7, layout);
    const payloads: MediaPayload[] = [];
    for (let at = 0; at < source.length; at += chunk) payloads.push(...packer.push(source.subarray(at, at + chunk)));
    payloads.push(...packer.flush());
    expectWhole(payloads, source);
    expect(Math.abs(durationOf(payloads) - 4800)).toBeLessThanOrEqual(8);
    expect(payloads.filter(({ octets }) => octets.length === 6 * layout.length).length).toBeGreaterThan(190);
    for (const { octets } of payloads) expect(octets.length).toBeLessThanOrEqual(1316);
  }
});

describe('octets out of sync', () => {
  test('are sent in payloads of their own, and packets stay whole', () => {
    const stream = makeTransportStream(steady(40));
    const junk = Uint8Array.of(1, 2, 3);
    const broken = concat(stream.subarray(0, 188 * 21), junk, stream.subarray(188 * 21));
    for (const chunk of [1, 100, 10_000]) {
      const payloads = pack(broken, chunk);
      expectWhole(payloads, broken);
      expect(payloads.filter(({ octets }) => octets.length === 3).length).toBe(chunk === 1 ? 0 : 1);
      for (const { octets } of payloads) if (octets.length > 3) expect(octets[0]).toBe(0x47);
    }
  });

  test('are also what is left of a cut first and last packet', () => {
    const stream = makeTransportStream(steady(40)).subarray(50, -60);
    const payloads = pack(stream);
    expectWhole(payloads, stream);
    expect(payloads[0]!.octets).toHaveLength(138);
    expect(payloads.at(-1)!.octets).toHaveLength(128);
  });
});

test('of any source no octet is lost, added or moved, and the PCRs give the milliseconds', () => {
  const interval = fc.record({
    // Two in line show that they are packets.
    packets: fc.integer({ min: 2, max: 40 }),
    ms: fc.integer({ min: 1, max: 150 }),
    jump: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    junk: fc.oneof(
      { weight: 9, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 400 }) },
    ),
  });
  const source = fc.record({
    intervals: fc.array(interval, { minLength: 2, maxLength: 12 }),
    chunk: fc.integer({ min: 1, max: 5000 }),
    size: fc.constantFrom(1, 7),
    first: fc.integer({ min: 0, max: PCR_MODULUS - 1 }),
  });
  fc.assert(
    fc.property(source, ({ intervals, chunk, size, first }) => {
      const measured = intervals.map((_interval, i) => i + 1 < intervals.length && !intervals[i + 1]!.jump);
      fc.pre(measured.includes(true));
      let pcr = first;
      const parts: Uint8Array[] = [];
      for (const { packets, ms, jump, junk } of intervals) {
        parts.push(
          makeTransportStream([
            { pcr, discontinuity: jump },
            ...Array.from({ length: packets - 1 }, () => ({ pid: 5 })),
          ]),
          new Uint8Array(junk),
        );
        pcr = (pcr + ms * MS) % PCR_MODULUS;
      }
      const stream = concat(...parts);
      const payloads = pack(stream, chunk, size);
      expectWhole(payloads, stream);
      for (const { octets, duration } of payloads) {
        expect(octets.length).toBeLessThanOrEqual(size * 188);
        expect(duration).toBeLessThanOrEqual(MAX_TS_PAYLOAD_DURATION);
      }
      // Every interval that a PCR ends without a jump counts as it says; each other lasts no longer than one of them.
      const known = intervals.filter((_interval, i) => measured[i]).map(({ ms }) => ms);
      const least = known.reduce((sum, ms) => sum + ms, 0);
      expect(durationOf(payloads)).toBeGreaterThanOrEqual(least - 1);
      expect(durationOf(payloads)).toBeLessThanOrEqual(
        least + (intervals.length - known.length) * Math.max(...known) + 1,
      );
    }),
    { numRuns: 200 },
  );
});

test('random octets with sync octets among them throw nothing but NO_PCR', () => {
  const octet = fc.oneof(fc.constant(0x47), fc.integer({ min: 0, max: 255 }));
  const stream = fc.array(octet, { maxLength: 2000 }).map((octets) => Uint8Array.from(octets));
  fc.assert(
    fc.property(stream, fc.integer({ min: 1, max: 500 }), (octets, chunk) => {
      try {
        expectWhole(pack(octets, chunk), octets);
      } catch (error) {
        expect(error).toMatchObject({ code: 'NO_PCR' });
      }
    }),
  );
});
