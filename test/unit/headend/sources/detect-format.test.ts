import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat } from '../../../../apdu/octets.ts';
import { detectFormat } from '../../../../host/headend/sources/detect-format.ts';
import { joinRecords, type MediaChunk, type MediaSource } from '../../../../host/headend/sources/media-source.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { KNOWN_FRAMES, makeAdtsFrame, makeId3, makeMpegFrame } from '../../../support/streams/audio-frames.ts';
import { makeRtpDatagram } from '../../../support/streams/rtp-datagram.ts';
import { makeTransportStream, toLayout } from '../../../support/streams/transport-stream.ts';

const TS = makeTransportStream(Array.from({ length: 100 }, () => ({})));
const MP3 = concat(...Array.from({ length: 40 }, () => makeMpegFrame(KNOWN_FRAMES[1]!)));
const TEXT = new TextEncoder().encode('Good evening, ladies and gentlemen.\n'.repeat(40));

function sourceOf(chunks: readonly MediaChunk[]): MediaSource {
  return {
    async *[Symbol.asyncIterator]() {
      yield* chunks;
    },
  };
}

async function detect(chunks: readonly MediaChunk[]) {
  const { format, media, isLive } = await detectFormat(sourceOf(chunks));
  const read: Uint8Array[] = [];
  for await (const { octets } of media) read.push(octets);
  return { format, isLive, octets: concat(...read) };
}

const cut = (octets: Uint8Array, length: number) =>
  Array.from({ length: Math.ceil(octets.length / length) }, (_none, i) =>
    octets.subarray(i * length, (i + 1) * length),
  );

describe.each([
  ['a transport stream', TS, 'ts'],
  ['one with a cut first packet', TS.subarray(100), 'ts'],
  ['one behind 5,000 octets of something else', concat(randomBytes(5000), TS), 'ts'],
  ['one in packets of 192 octets', toLayout(TS, 4, 0), 'ts-192'],
  ['one in packets of 192 octets, cut', toLayout(TS, 4, 0).subarray(77), 'ts-192'],
  ['one in packets of 204 octets', toLayout(TS, 0, 16), 'ts-204'],
  ['one in packets of 204 octets, behind something else', concat(randomBytes(999), toLayout(TS, 0, 16)), 'ts-204'],
  ['MP3', MP3, 'audio'],
  ['MP3 behind a tag', concat(makeId3(400_000), MP3), 'audio'],
  ['MP3 with a cut first frame', MP3.subarray(200), 'audio'],
  ['ADTS', concat(...Array.from({ length: 40 }, () => makeAdtsFrame(300))), 'audio'],
  ['random octets', randomBytes(20_000), 'data'],
  ['nothing', new Uint8Array(0), 'data'],
])('%s', (_name, octets, format) => {
  test('is told from a file, and comes through whole', async () => {
    const found = await detect(cut(octets, 100_000).map((chunk) => ({ octets: chunk })));
    expect({ ...found, octets: 0 }).toEqual({ format, isLive: false, octets: 0 });
    expect(Buffer.compare(found.octets, octets)).toBe(0);
  });

  test('is told from a pipe and from UDP, and comes through whole', async () => {
    for (const ends of [undefined, true]) {
      const chunks = cut(octets, 1000).map((chunk) => ({
        octets: chunk,
        arrival: 0,
        ends: ends === undefined ? undefined : [chunk.length],
      }));
      const found = await detect(chunks);
      expect(found.format).toBe(format);
      expect(Buffer.compare(found.octets, octets)).toBe(0);
    }
  });
});

test('text is lines where it comes by a pipe, datagrams where it comes by UDP, and data in a file', async () => {
  const lines = await detect([{ octets: TEXT, arrival: 0 }]);
  expect([lines.format, lines.isLive]).toEqual(['lines', true]);
  expect((await detect([joinRecords([TEXT], 0)])).format).toBe('data');
  expect((await detect([{ octets: TEXT }])).format).toBe('data');
  // The last character is cut.
  const cutText = new TextEncoder().encode('10 \u20ac\n20 \u20ac').subarray(0, -1);
  expect((await detect([{ octets: cutText, arrival: 0 }])).format).toBe('lines');
  expect((await detect([{ octets: Uint8Array.of(0, 10, 65), arrival: 0 }])).format).toBe('data');
});

test.each([
  ['a transport stream', 33, TS, 'ts'],
  ['MPEG audio', 97, MP3, 'audio'],
] as const)('of RTP with %s the headers come off', async (_name, payloadType, octets, format) => {
  const datagrams = cut(octets, 1316).map((payload, i) => makeRtpDatagram(payloadType, i, payload));
  const found = await detect(datagrams.map((datagram) => joinRecords([datagram], 0)));
  expect(found.format).toBe(format);
  expect(Buffer.compare(found.octets, octets)).toBe(0);
});

test('a live source is waited for no longer than 150 ms after its first octets', async () => {
  const clock = new SimulatedClock();
  const source: MediaSource = {
    async *[Symbol.asyncIterator]() {
      await clock.sleep(5000);
      yield { octets: Uint8Array.of(1, 2, 3), arrival: clock.monotonic(), ends: [3] };
      await clock.sleep(60_000);
      yield { octets: Uint8Array.of(4), arrival: clock.monotonic(), ends: [1] };
    },
  };
  const { format, media } = await clock.advanceUntil(detectFormat(source, undefined, clock));
  expect([format, clock.monotonic()]).toEqual(['data', 5150]);
  const read: number[] = [];
  const reading = (async () => {
    for await (const { octets } of media) read.push(...octets);
  })();
  await clock.advanceUntil(reading);
  expect(read).toEqual([1, 2, 3, 4]);
});

test('lines are told by the first of them, without waiting for more', async () => {
  const clock = new SimulatedClock();
  const source: MediaSource = {
    async *[Symbol.asyncIterator]() {
      yield { octets: new TextEncoder().encode('AAA 1.00\n'), arrival: 0 };
      await clock.sleep(60_000);
    },
  };
  expect((await clock.advanceUntil(detectFormat(source, undefined, clock))).format).toBe('lines');
  expect(clock.monotonic()).toBe(0);
});

test('whatever a source gives, all of it is given on, or the payloads of its RTP', async () => {
  const octet = fc.oneof(fc.constantFrom(0x47, 0xff, 0xfb, 0x80, 0x0a, 0x41), fc.integer({ min: 0, max: 255 }));
  const chunk = fc.record({
    octets: fc.array(octet, { minLength: 1, maxLength: 400 }).map((octets) => Uint8Array.from(octets)),
    arrival: fc.constantFrom(undefined, 0),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(chunk, { maxLength: 30 }), async (chunks) => {
      const found = await detect(chunks);
      expect(Buffer.compare(found.octets, concat(...chunks.map(({ octets }) => octets)))).toBe(0);
    }),
  );
});
