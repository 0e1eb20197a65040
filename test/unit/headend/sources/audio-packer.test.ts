import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat } from '../../../../apdu/octets.ts';
import { AudioPacker } from '../../../../host/headend/sources/audio/audio-packer.ts';
import { detectAudio } from '../../../../host/headend/sources/audio/detect-audio.ts';
import { MediaTimeline } from '../../../../host/headend/sources/media-timeline.ts';
import type { MediaPayload } from '../../../../host/stream/sealing/group-sealer.ts';
import { KNOWN_FRAMES, makeAdtsFrame, makeId3, makeMpegFrame } from '../../../support/streams/audio-frames.ts';

const SIZE = 1316;

function pack(stream: Uint8Array, chunk = 1000): MediaPayload[] {
  const packer = new AudioPacker(new MediaTimeline(0), SIZE);
  const payloads: MediaPayload[] = [];
  for (let at = 0; at < stream.length; at += chunk) payloads.push(...packer.push(stream.subarray(at, at + chunk)));
  return [...payloads, ...packer.flush()];
}

const durationOf = (payloads: readonly MediaPayload[]) => payloads.reduce((sum, { duration }) => sum + duration, 0);

function expectWhole(payloads: readonly MediaPayload[], stream: Uint8Array): void {
  expect(Buffer.compare(concat(...payloads.map(({ octets }) => octets)), stream)).toBe(0);
}

/** 48 kbit/s at 48 kHz: 144 octets for 24 ms. */
const SMALL = KNOWN_FRAMES[0]!;
const frames = (count: number, plan = SMALL) => concat(...Array.from({ length: count }, () => makeMpegFrame(plan)));

describe('frames', () => {
  test.each(KNOWN_FRAMES)(
    'of version $version layer $layer have $length octets and $samples samples at $rate Hz',
    (plan) => {
      const stream = frames(200, plan);
      const payloads = pack(stream);
      expectWhole(payloads, stream);
      expect(durationOf(payloads)).toBe(Math.floor((200 * 1000 * plan.samples) / plan.rate));
      expect(detectAudio(stream.subarray(0, 10 * plan.length))).toBe(true);
    },
  );

  test('of ADTS have 1,024 samples for each of their blocks', () => {
    const stream = concat(...Array.from({ length: 100 }, (_none, i) => makeAdtsFrame(100 + i, 1 + (i % 2))));
    const payloads = pack(stream);
    expectWhole(payloads, stream);
    expect(durationOf(payloads)).toBe((150 * 1024) / 48);
    expect(detectAudio(stream)).toBe(true);
  });

  test('of a variable bit rate last as long as any other', () => {
    const plans = [
      { ...SMALL, bitRate: 1, length: 96 },
      { ...SMALL, bitRate: 5, length: 192 },
      { ...SMALL, bitRate: 9, length: 384 },
      { ...SMALL, bitRate: 14, length: 960 },
    ];
    const stream = concat(...Array.from({ length: 1000 }, (_none, i) => makeMpegFrame(plans[i % 4]!)));
    expect(durationOf(pack(stream))).toBe(24_000);
  });

  test('fill payloads of at most 200 ms, and are divided only when they are longer than one', () => {
    for (const { octets, duration } of pack(frames(80))) {
      expect([octets.length, duration]).toEqual([8 * 144, 8 * 24]);
    }
    const long = pack(frames(10, KNOWN_FRAMES[3]));
    expect(long.map(({ octets }) => octets.length)).toEqual(Array.from({ length: 10 }, () => [1316, 124]).flat());
    expect(durationOf(long)).toBe(360);
  });
});

describe('what is no sound is sent and lasts no time:', () => {
  const sound = frames(100);
  const xing = makeMpegFrame(SMALL);
  xing.set(new TextEncoder().encode('Xing'), 4 + 32);
  const vbri = makeMpegFrame(SMALL);
  vbri.set(new TextEncoder().encode('VBRI'), 4 + 32);
  const id3v1 = new Uint8Array(128).fill(0x20);
  id3v1.set(new TextEncoder().encode('TAG'));
  const ape = new Uint8Array(32 + 200);
  ape.set(new TextEncoder().encode('APETAGEX'));
  ape.set([200, 0, 0, 0], 12);
  ape[23] = 0xa0;

  test.each([
    ['an ID3v2 tag with a picture', concat(makeId3(500_000), sound)],
    ['an ID3v2 tag in the middle', concat(sound.subarray(0, 7200), makeId3(300), sound.subarray(7200))],
    ['an ID3v1 tag', concat(sound, id3v1)],
    ['an APEv2 tag', concat(sound, ape)],
    ['a Xing header', concat(makeId3(100), xing, sound)],
    ['a VBRI header', concat(vbri, sound)],
    ['octets between frames', concat(sound.subarray(0, 7200), new Uint8Array(333), sound.subarray(7200))],
    ['a cut last frame', concat(sound, sound.subarray(0, 60))],
    ['a cut first frame', concat(sound.subarray(50, 144), sound)],
  ])('%s', (_name, stream) => {
    for (const chunk of [100, 4096, 1_000_000]) {
      const payloads = pack(stream, chunk);
      expectWhole(payloads, stream);
      expect(durationOf(payloads)).toBe(2400);
    }
    expect(detectAudio(stream.subarray(0, 10_000))).toBe(true);
  });

  test('a tag is no burst: it goes out at 10 Mbit/s', () => {
    const payloads = pack(concat(makeId3(500_000), sound));
    expect(payloads.find(({ duration }) => duration > 0)!.at).toBeCloseTo((500_010 * 8) / 10_000, 1);
  });
});

test('of any source no octet is lost, added or moved, and every whole frame in line counts', () => {
  const part = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ frames: fc.integer({ min: 2, max: 9 }), plan: fc.constantFrom(...KNOWN_FRAMES) }),
    },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 3000 }) },
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), fc.integer({ min: 1, max: 5000 }), (parts, chunk) => {
      const stream = concat(
        ...parts.map((made) => (typeof made === 'number' ? new Uint8Array(made) : frames(made.frames, made.plan))),
      );
      const payloads = pack(stream, chunk);
      expectWhole(payloads, stream);
      for (const { octets } of payloads) expect(octets.length).toBeLessThanOrEqual(SIZE);
      let ms = 0;
      let least = 0;
      for (const made of parts) {
        if (typeof made === 'number') continue;
        const frame = (1000 * made.plan.samples) / made.plan.rate;
        ms += made.frames * frame;
        // Behind other octets a frame needs the next one to show it.
        least += (made.frames - 1) * frame;
      }
      expect(durationOf(payloads)).toBeLessThanOrEqual(ms);
      expect(durationOf(payloads)).toBeGreaterThanOrEqual(least - 1);
    }),
  );
});

test('any octets come through whole', () => {
  const octet = fc.oneof(fc.constantFrom(0xff, 0xfb, 0xf1, 0x49, 0x44, 0x33), fc.integer({ min: 0, max: 255 }));
  const stream = fc.array(octet, { maxLength: 3000 }).map((octets) => Uint8Array.from(octets));
  fc.assert(
    fc.property(stream, fc.integer({ min: 1, max: 500 }), (octets, chunk) => {
      expectWhole(pack(octets, chunk), octets);
    }),
  );
});
