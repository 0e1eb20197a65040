import { expect, test } from 'vitest';
import { concat } from '../../../../apdu/octets.ts';
import { MediaTimeline } from '../../../../host/headend/sources/media-timeline.ts';
import { RateCheck } from '../../../../host/headend/sources/rate-check.ts';
import { makePacker, type SourceFormat } from '../../../../host/headend/sources/source-format.ts';
import { KNOWN_FRAMES, makeMpegFrame } from '../../../support/streams/audio-frames.ts';
import { makeTransportStream } from '../../../support/streams/transport-stream.ts';

/** What is said of a rate when 100 octets come every so many ms. */
function checkArrival(rate: number, every: number): number[] {
  const said: number[] = [];
  const check = new RateCheck(rate, undefined, (measured) => said.push(measured));
  for (let i = 0; i < 2000; i++) check.add({ octets: new Uint8Array(100), arrival: i * every });
  return said;
}

function checkClock(rate: number, format: SourceFormat, octets: Uint8Array): number[] {
  const said: number[] = [];
  const own = makePacker(new MediaTimeline(0), format, { packing: 7, isLive: false });
  const check = new RateCheck(rate, own, (measured) => said.push(measured));
  for (let at = 0; at < octets.length; at += 10_000) check.add({ octets: octets.subarray(at, at + 10_000) });
  return said;
}

test('a rate that is what arrives is not spoken of, within a twentieth', () => {
  for (const rate of [80_000, 77_000, 83_000]) expect(checkArrival(rate, 10)).toEqual([]);
});

test('another is, once, with what was measured', () => {
  expect(checkArrival(10_000_000, 10)).toEqual([80_000]);
  expect(checkArrival(40_000, 10)).toEqual([80_000]);
});

test("it is held against the source's own clock where it has one", () => {
  const sound = concat(...Array.from({ length: 500 }, () => makeMpegFrame(KNOWN_FRAMES[0]!)));
  expect(checkClock(48_000, 'audio', sound)).toEqual([]);
  expect(checkClock(128_000, 'audio', sound)).toEqual([48_000]);
  const stream = makeTransportStream(
    Array.from({ length: 3000 }, (_none, i) => (i % 10 === 0 ? { pcr: i * 4 * 27_000 } : { pid: 5 })),
  );
  expect(checkClock(376_000, 'ts', stream)).toEqual([]);
  expect(checkClock(1_000_000, 'ts', stream)).toEqual([376_000]);
  // Without a clock nothing is known.
  expect(checkClock(1_000_000, 'ts', makeTransportStream(Array.from({ length: 30_000 }, () => ({}))))).toEqual([]);
});
