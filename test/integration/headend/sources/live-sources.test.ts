import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeCardId } from '../../../../apdu/decode-module/card-id.ts';
import { concat } from '../../../../apdu/octets.ts';
import type { MediaChunk, MediaSource, SourceFormat } from '../../../../host/headend/index.ts';
import { readPipe } from '../../../../host/headend/sources/pipe-source.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { KNOWN_FRAMES, makeMpegFrame } from '../../../support/streams/audio-frames.ts';
import { makeSender } from '../../../support/streams/test-sender.ts';
import { makeTransportStream } from '../../../support/streams/transport-stream.ts';

const CARD = encodeCardId({ issuer: 0xabcdef, moduleClass: 'soft', serial: 77 });
const DOWNLINK = randomBytes(16);
const NEVER = new AbortController().signal;
const MS = 27_000;

let capture: ServiceCapture;

beforeEach(async () => {
  capture = await ServiceCapture.start();
});

afterEach(() => capture.close());

/** A source that gives its parts as time passes, one every so many ms. */
class LiveSource implements MediaSource {
  readonly #clock: SimulatedClock;
  readonly #parts: readonly Uint8Array[];
  readonly #every: number;
  /** ms of its first and its last part. */
  from = 0;
  to = 0;

  constructor(clock: SimulatedClock, octets: Uint8Array, part: number, every: number) {
    this.#clock = clock;
    this.#parts = Array.from({ length: Math.ceil(octets.length / part) }, (_none, i) =>
      octets.subarray(i * part, (i + 1) * part),
    );
    this.#every = every;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<MediaChunk> {
    const begin = this.#clock.monotonic();
    this.from = begin;
    for (const [i, octets] of this.#parts.entries()) {
      const arrival = begin + i * this.#every;
      const wait = arrival - this.#clock.monotonic();
      // What is read late has arrived in time all the same.
      if (wait > 0) await this.#clock.sleep(wait);
      this.to = arrival;
      yield { octets, arrival, ends: [octets.length] };
    }
  }
}

/**
 * Sends a live source to its end.
 * @returns ms that it took to come, that were charged, until its end was sent, and at which media packets went out.
 */
async function sendLive(source: (clock: SimulatedClock) => LiveSource, format: SourceFormat) {
  const clock = new SimulatedClock();
  const media = source(clock);
  const { sender } = await makeSender(capture, {
    clock,
    source: { media, format, isLive: true },
    keys: { cards: [{ cardId: CARD, downlinkKey: DOWNLINK }] },
  });
  const times: number[] = [];
  const state = { ended: false };
  const run = sender.run(NEVER).finally(() => (state.ended = true));
  let sent = 0;
  while (!state.ended) {
    await clock.advance(20);
    if (sender.totals.packets > sent) times.push(clock.monotonic());
    sent = sender.totals.packets;
  }
  await run;
  const { duration } = sender.totals;
  return { came: media.to - media.from, charged: duration, late: clock.monotonic() - media.to, times };
}

/** A live stream of 250 packets a second; PCRs of two PIDs in turn, one every 10 packets. */
function makeSwitched(seconds: number) {
  const packets = 250 * seconds;
  return Array.from({ length: packets }, (_none, i) => {
    const first = i < packets / 2;
    const pcr = first ? i * 4 * MS : (9_000_000 + i * 4) * MS;
    return i % 10 === 0 ? { pid: first ? 0x100 : 0x200, pcr } : { pid: 0x300 };
  });
}

test.each([
  ['whose PCRs change to another PID', makeSwitched(60)],
  [
    'whose clock jumps with every programme',
    Array.from({ length: 250 * 60 }, (_none, i) =>
      i % 10 === 0 ? { pcr: ((i % 2500) * 4 + 1_000_000 * Math.floor(i / 2500)) * MS } : { pid: 0x300 },
    ),
  ],
  [
    'of two programmes',
    Array.from({ length: 250 * 60 }, (_none, i) =>
      i % 5 === 0 ? { pid: i % 10 === 0 ? 0x100 : 0x200, pcr: (i % 10 === 0 ? i * 4 : 5_000_000 + i * 4) * MS } : {},
    ),
  ],
  ['without PCRs', Array.from({ length: 250 * 60 }, () => ({}))],
])('a live transport stream %s is sent in time, and charged by its own clock', async (_name, plans) => {
  const stream = makeTransportStream(plans);
  const { came, charged, late } = await sendLive((clock) => new LiveSource(clock, stream, 1316, 28), 'ts');
  expect(Math.abs(charged / came - 1)).toBeLessThan(0.01);
  // The closing time of 250 ms, the step from PCR to PCR, the BYE; without PCRs 500 ms to wait for one.
  expect(late).toBeLessThan(1000);
  const { groups } = capture.open(7, DOWNLINK);
  const sent = groups.flatMap(({ payloads }) => payloads);
  expect(Buffer.concat(sent).equals(stream)).toBe(true);
  expect(groups.reduce((sum, { duration }) => sum + duration, 0)).toBe(charged);
});

describe('live MP3 of 48 kbit/s', () => {
  /** 40.008 s in frames of 24 ms. */
  const sound = concat(...Array.from({ length: 1667 }, () => makeMpegFrame(KNOWN_FRAMES[0]!)));
  const PRICE = 2_000_000n;

  test.each([
    ['in frames', 144, 24],
    ['in datagrams that do not end with them', 1000, 1000 / 6],
  ])('%s is charged for 40 s, and goes out as it comes', async (_name, part, every) => {
    const { came, charged, late, times } = await sendLive(
      (clock) => new LiveSource(clock, sound, part, every),
      'audio',
    );
    expect(Math.abs(charged / came - 1)).toBeLessThan(0.01);
    // 2.00 USD/h: 0.0222 USD.
    expect(Number((BigInt(charged) * PRICE) / 3_600_000n)).toBeCloseTo(22_226, -2);
    expect(late).toBeLessThan(1000);
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(500);
  });
});

test('live octets without any clock are charged for the time that they took to come', async () => {
  const octets = randomBytes(40 * 6000);
  const { came, charged, late, times } = await sendLive((clock) => new LiveSource(clock, octets, 600, 100), 'data');
  expect(Math.abs(charged / came - 1)).toBeLessThan(0.01);
  expect(late).toBeLessThan(500);
  const gaps = times.slice(1).map((at, i) => at - times[i]!);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(300);
});

test('a live source is at the media time of the present, also after it was silent', async () => {
  const clock = new SimulatedClock();
  const media: MediaSource = {
    async *[Symbol.asyncIterator]() {
      for (const pause of [0, 100, 7_200_000, 500]) {
        await clock.sleep(pause);
        yield { octets: randomBytes(500), arrival: clock.monotonic(), ends: [500] };
      }
    },
  };
  const { sender, stream } = await makeSender(capture, {
    clock,
    source: { media, format: 'data', isLive: true },
    keys: { cards: [{ cardId: CARD, downlinkKey: DOWNLINK }] },
  });
  await clock.advanceUntil(sender.run(NEVER));
  const { groups, unwrapped } = capture.open(7, DOWNLINK);
  expect(groups.map(({ mediaTime }) => mediaTime - stream.mediaTime)).toEqual([0, 7200, 7200]);
  // In the silence too every content key was announced before its time, so that who waits can open what comes.
  const contents = unwrapped.filter(({ kind }) => kind === 0x12);
  expect(contents.map(({ from }) => from - stream.mediaTime)).toEqual(
    Array.from({ length: 25 }, (_none, i) => 300 * i),
  );
  expect(sender.totals.duration).toBe(600);
});

test('MP3 that a pipe gives all at once goes out at its own pace', async () => {
  const clock = new SimulatedClock();
  const sound = concat(...Array.from({ length: 1667 }, () => makeMpegFrame(KNOWN_FRAMES[0]!)));
  const media: MediaSource = { [Symbol.asyncIterator]: () => readPipe(Readable.from([sound]), NEVER, clock) };
  const { sender } = await makeSender(capture, { clock, source: { media, format: 'audio', isLive: true } });
  const start = clock.monotonic();
  await clock.advanceUntil(sender.run(NEVER));
  expect(sender.totals.duration).toBe(40_008);
  expect(Math.abs(clock.monotonic() - start - 40_008)).toBeLessThan(1000);
});
