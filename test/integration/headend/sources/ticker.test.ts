import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeCardId } from '../../../../apdu/decode-module/card-id.ts';
import { systemClock } from '../../../../host/clock/clock.ts';
import { detectFormat, type MediaSource, openSource } from '../../../../host/headend/index.ts';
import { readPipe } from '../../../../host/headend/sources/pipe-source.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { makeSender } from '../../../support/streams/test-sender.ts';
import { findFreePort } from '../../../support/streams/test-service.ts';

const CARD = encodeCardId({ issuer: 0xabcdef, moduleClass: 'soft', serial: 77 });
const DOWNLINK = randomBytes(16);
const NEVER = new AbortController().signal;

let capture: ServiceCapture;

beforeEach(async () => {
  capture = await ServiceCapture.start();
});

afterEach(() => capture.close());

const keys = { cards: [{ cardId: CARD, downlinkKey: DOWNLINK }] };
const opened = () => capture.open(7, DOWNLINK).groups.flatMap(({ payloads }) => payloads.map(String));

describe.each([
  ['some ms apart', (i: number) => (i * 37) % 90],
  ['as long apart as a group lasts', () => 250],
  ['seldom', (i: number) => 300 + ((i * 997) % 5000)],
  ['several at once', (i: number) => (i % 10 === 0 ? 1500 : 0)],
])('of 100 lines that come %s', (_name, pause) => {
  test.each([
    ['short', 24],
    ['long', 500],
  ])('every %s one goes out within the closing time, as a payload of its own', async (_length, length) => {
    const clock = new SimulatedClock();
    const stream = new PassThrough();
    const stop = new AbortController();
    const media: MediaSource = { [Symbol.asyncIterator]: () => readPipe(stream, stop.signal, clock) };
    const { sender } = await makeSender(capture, {
      clock,
      source: { media, format: 'lines', isLive: true },
      profile: { closingTime: 250 },
      pace: { lead: 300 },
      keys,
    });
    const run = sender.run(stop.signal);
    // One line is there before the keys have been sent for their time. What follows is not late for that.
    stream.write(`${'first'.padEnd(length - 1)}\n`);
    await clock.advance(500);
    const lines = Array.from({ length: 100 }, (_none, i) => `${String(i).padStart(length - 1, '.')}\n`);
    const times: number[] = [];
    const ages: number[] = [];
    const passTime = async (ms: number) => {
      for (let left = ms; left > 0; left -= 5) {
        await clock.advance(Math.min(5, left));
        while (ages.length + 1 < sender.totals.packets) ages.push(clock.monotonic() - times[ages.length]!);
      }
    };
    for (const [i, line] of lines.entries()) {
      times.push(clock.monotonic());
      stream.write(line);
      await passTime(pause(i));
    }
    await passTime(1000);
    expect(ages).toHaveLength(100);
    // A timer may end a step of the test later than it is due.
    expect(Math.max(...ages)).toBeLessThanOrEqual(250 + 10);
    stop.abort();
    await clock.advanceUntil(run);
    expect(opened().slice(1)).toEqual(lines);
  });
});

test('what waits at a stop is sent, the start of a line too', async () => {
  const stream = new PassThrough();
  const stop = new AbortController();
  const media: MediaSource = { [Symbol.asyncIterator]: () => readPipe(stream, stop.signal, systemClock) };
  const { sender } = await makeSender(capture, {
    source: { media, format: 'lines', isLive: true },
    profile: { closingTime: 1000 },
    keys,
  });
  const run = sender.run(stop.signal);
  await systemClock.sleep(100);
  stream.write(`${'a'.repeat(100)}\n`);
  stream.write(`${'b'.repeat(100)}\n`);
  stop.abort();
  stream.write('ccc');
  await run;
  await systemClock.sleep(50);
  expect(opened()).toEqual([`${'a'.repeat(100)}\n`, `${'b'.repeat(100)}\n`, 'ccc']);
});

test('datagrams that come by UDP are payloads one by one, and those that wait at a stop are sent', async () => {
  const port = await findFreePort();
  const stop = new AbortController();
  const source = await openSource(`udp://127.0.0.1:${port}`, '127.0.0.1', stop.signal);
  const feeder = createSocket('udp4');
  const datagrams = Array.from({ length: 50 }, (_none, i) => `${i} ${'x'.repeat((i * 53) % 1200)}`);
  const send = (datagram: string) =>
    new Promise<void>((resolve) => feeder.send(datagram, port, '127.0.0.1', () => resolve()));
  await send(datagrams[0]!);
  const { media, format, isLive } = await detectFormat(source);
  expect([format, isLive]).toEqual(['data', true]);
  const { sender } = await makeSender(capture, { source: { media, format, isLive }, keys });
  const run = sender.run(stop.signal);
  for (const datagram of datagrams.slice(1)) await send(datagram);
  await systemClock.sleep(100);
  stop.abort();
  await run;
  feeder.close();
  await systemClock.sleep(50);
  expect(opened()).toEqual(datagrams);
});

test('a pipe is read no further ahead than 256 KiB and what is in its buffers', async () => {
  let made = 0;
  const stream = new Readable({
    read() {
      made += 0x10000;
      this.push(made > 3_000_000 ? null : new Uint8Array(0x10000));
    },
  });
  const reading = readPipe(stream, NEVER, systemClock);
  let octets = 0;
  for await (const chunk of reading) {
    if (octets === 0) await systemClock.sleep(50);
    if (octets === 0) expect(made).toBeLessThanOrEqual(0x40000 + 4 * 0x10000);
    octets += chunk.octets.length;
  }
  expect(octets).toBe(45 * 0x10000);
});

test('a device that never ends is ended by a stop, with what was read ahead', async () => {
  const stop = new AbortController();
  const stream = new Readable({
    read() {
      setImmediate(() => this.push(new Uint8Array(0x10000)));
    },
  });
  let octets = 0;
  for await (const chunk of readPipe(stream, stop.signal, systemClock)) {
    stop.abort();
    octets += chunk.octets.length;
    // It comes faster than it is taken.
    await systemClock.sleep(5);
  }
  expect(octets).toBeLessThan(40 * 0x10000);
});
