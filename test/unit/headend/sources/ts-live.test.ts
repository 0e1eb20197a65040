import { describe, expect, test } from 'vitest';
import { concat } from '../../../../apdu/octets.ts';
import { MediaTimeline } from '../../../../host/headend/sources/media-timeline.ts';
import { TsPacker } from '../../../../host/headend/sources/ts/ts-packer.ts';
import { TS_LAYOUTS } from '../../../../host/headend/sources/ts/ts-packet.ts';
import type { MediaPayload } from '../../../../host/stream/sealing/group-sealer.ts';
import { durationOf, expectWhole, MS, pack, steady } from '../../../support/streams/packed-ts.ts';
import { makeTransportStream } from '../../../support/streams/transport-stream.ts';

describe('a live source', () => {
  /**
   * Packs a stream of which 7 packets arrive every so many ms.
   * @returns payloads with the ms at which they came out.
   */
  function packLive(stream: Uint8Array, every: number) {
    const packer = new TsPacker(new MediaTimeline(0), 7, TS_LAYOUTS.ts);
    const out: { readonly payload: MediaPayload; readonly ms: number }[] = [];
    let ms = 0;
    for (let at = 0; at < stream.length; at += 1316) {
      for (const payload of packer.push(stream.subarray(at, at + 1316), ms, [1316])) out.push({ payload, ms });
      ms += every;
    }
    for (const payload of packer.flush()) out.push({ payload, ms });
    expectWhole(
      out.map(({ payload }) => payload),
      stream,
    );
    return { payloads: out.map(({ payload }) => payload), late: out.map(({ payload, ms: at }) => at - payload.at) };
  }

  test('without any PCR is timed by its arrival', () => {
    const { payloads } = packLive(makeTransportStream(Array.from({ length: 7 * 1000 }, () => ({}))), 20);
    expect(durationOf(payloads)).toBeGreaterThan(19_800);
    expect(durationOf(payloads)).toBeLessThanOrEqual(20_000);
  });

  test('whose PCRs stop goes on by its arrival at most 600 ms later, and PCRs that come again correct it', () => {
    const gap = Array.from({ length: 7 * 300 }, () => ({ pid: 0x101 }));
    const stream = makeTransportStream([...steady(2100), ...gap, ...steady(2100, 40 * MS, 4200 * 4 * MS)]);
    const { payloads, late } = packLive(stream, 28);
    expect(durationOf(payloads)).toBeGreaterThan(25_100);
    expect(durationOf(payloads)).toBeLessThanOrEqual(25_200);
    expect(Math.max(...late)).toBeLessThanOrEqual(600);
    expect(late.at(-1)).toBeLessThanOrEqual(100);
  });

  test('that can be made to wait is no measure of time: without PCRs it is refused, or goes on at the rate it had', () => {
    const silent = makeTransportStream(Array.from({ length: 30_000 }, () => ({})));
    const pushAll = (stream: Uint8Array) => {
      const packer = new TsPacker(new MediaTimeline(0), 7, TS_LAYOUTS.ts);
      const payloads: MediaPayload[] = [];
      for (let at = 0; at < stream.length; at += 65_536)
        payloads.push(...packer.push(stream.subarray(at, at + 65_536), at / 4000));
      return [...payloads, ...packer.flush()];
    };
    expect(() => pushAll(silent)).toThrow(expect.objectContaining({ code: 'NO_PCR' }));
    const payloads = pushAll(concat(makeTransportStream(steady(1000)), silent));
    expect(Math.abs(durationOf(payloads) - 31_000 * 4)).toBeLessThanOrEqual(50);
  });

  test('that lost packets, or had two of them exchanged, is charged for no time that was not there', () => {
    const packets = steady(4000);
    const swapped = packets.toSpliced(2000, 1, packets[2010]!).toSpliced(2010, 1, packets[2000]!);
    expect(durationOf(pack(makeTransportStream(swapped)))).toBe(16_000);
    const { payloads } = packLive(makeTransportStream([...packets.slice(0, 2000), ...packets.slice(2500)]), 28);
    expect(durationOf(payloads)).toBe(14_000);
  });
});
