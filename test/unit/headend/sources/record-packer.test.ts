import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat } from '../../../../apdu/octets.ts';
import { MediaTimeline } from '../../../../host/headend/sources/media-timeline.ts';
import { RecordPacker } from '../../../../host/headend/sources/record-packer.ts';
import type { MediaPayload } from '../../../../host/stream/sealing/group-sealer.ts';

const SIZE = 1316;
const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
const octetsOf = (line: string) => new TextEncoder().encode(line);
const makePacker = (lines: boolean, rate?: number) =>
  new RecordPacker(new MediaTimeline(0), { size: SIZE, lines, rate });
const durationOf = (payloads: readonly MediaPayload[]) => payloads.reduce((sum, { duration }) => sum + duration, 0);

describe('lines', () => {
  test('are payloads of their own, whole however they come', () => {
    const packer = makePacker(true);
    expect(packer.push(octetsOf('AAA 1.00\nBBB 2'), 0).map(({ octets }) => text(octets))).toEqual(['AAA 1.00\n']);
    expect(packer.push(octetsOf('.00'), 5)).toEqual([]);
    expect(packer.push(octetsOf('\n\nCCC'), 9).map(({ octets }) => text(octets))).toEqual(['BBB 2.00\n', '\n']);
    expect(packer.flush().map(({ octets }) => text(octets))).toEqual(['CCC']);
    expect(packer.flush()).toEqual([]);
  });

  test('that are longer than a payload are divided, and nothing is lost in any chunks', () => {
    const lines = fc.array(
      fc.integer({ min: 0, max: 4000 }).map((length) => `${'x'.repeat(length)}\n`),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(lines, fc.integer({ min: 1, max: 3000 }), (made, chunk) => {
        const stream = octetsOf(made.join(''));
        const packer = makePacker(true);
        const payloads: MediaPayload[] = [];
        for (let at = 0; at < stream.length; at += chunk)
          payloads.push(...packer.push(stream.subarray(at, at + chunk), at));
        payloads.push(...packer.flush());
        expect(text(concat(...payloads.map(({ octets }) => octets)))).toBe(made.join(''));
        for (const { octets } of payloads) expect(octets.length).toBeLessThanOrEqual(SIZE);
        // No payload has the end of one line and the start of the next.
        for (const { octets } of payloads) expect(text(octets).slice(0, -1)).not.toContain('\n');
      }),
    );
  });
});

test('datagrams are payloads of their own, also when several come together; empty ones are none', () => {
  const payloads = makePacker(false).push(octetsOf('onetwothree'), 0, [3, 6, 6, 11]);
  expect(payloads.map(({ octets }) => text(octets))).toEqual(['one', 'two', 'three']);
});

describe('time', () => {
  test('is that since the record before, and none for a silence of a second', () => {
    const packer = makePacker(false);
    const at = (arrival: number) =>
      packer.push(octetsOf('x'), arrival, [1]).map((payload) => [payload.at, payload.duration]);
    expect([at(100), at(350), at(350), at(1300), at(2300), at(2400)].flat()).toEqual([
      [0, 0],
      [250, 250],
      [250, 0],
      [1200, 950],
      [2200, 0],
      [2300, 100],
    ]);
  });

  test('of what comes all at once by a pipe passes at 10 Mbit/s, and is charged as it is read', () => {
    const packer = makePacker(false);
    const first = packer.push(new Uint8Array(131_600), 0);
    expect(first).toHaveLength(100);
    expect(first.at(-1)!.at).toBeCloseTo(99 * 1.0528, 3);
    const next = packer.push(new Uint8Array(1316), 105);
    expect([next[0]!.at, durationOf([...first, ...next])]).toEqual([105.28, 105]);
  });

  test('goes by the rate where one is named', () => {
    const packer = makePacker(false, 8000);
    const payloads = [0, 10, 20].flatMap((arrival) => packer.push(new Uint8Array(100), arrival, [100]));
    expect(payloads.map((payload) => [payload.at, payload.duration])).toEqual([
      [0, 100],
      [100, 100],
      [200, 100],
    ]);
  });
});
