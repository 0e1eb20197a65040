import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeCardId } from '../../../apdu/decode-module/card-id.ts';
import type { MediaChunk, MediaSource } from '../../../host/headend/index.ts';
import { ServiceCapture } from '../../support/service-capture.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { makeSender } from '../../support/test-sender.ts';
import { makeTransportStream } from '../../support/transport-stream.ts';

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
      yield { octets, arrival };
    }
  }
}

/** Sends a live source to its end. @returns ms that it took to come, that were charged, and until its end was sent. */
async function sendLive(source: (clock: SimulatedClock) => LiveSource, format: 'ts' | 'data') {
  const clock = new SimulatedClock();
  const media = source(clock);
  const { sender } = await makeSender(capture, {
    clock,
    source: { media, format },
    keys: { cards: [{ cardId: CARD, downlinkKey: DOWNLINK }] },
  });
  await clock.advanceUntil(sender.run(NEVER));
  const { duration } = sender.totals;
  return { came: media.to - media.from, charged: duration, late: clock.monotonic() - media.to };
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
