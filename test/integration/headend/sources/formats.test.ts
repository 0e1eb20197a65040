import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeCardId } from '../../../../apdu/decode-module/card-id.ts';
import { systemClock } from '../../../../host/clock/clock.ts';
import { detectFormat, type MediaSource, openSource } from '../../../../host/headend/index.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { makeSender } from '../../../support/streams/test-sender.ts';
import { findFreePort } from '../../../support/streams/test-service.ts';

const run = promisify(execFile);
const CARD = encodeCardId({ issuer: 0xabcdef, moduleClass: 'soft', serial: 77 });
const DOWNLINK = randomBytes(16);
const NEVER = new AbortController().signal;
const SECONDS = 10;

let directory: string;
let capture: ServiceCapture;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-formats-'));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

beforeEach(async () => {
  capture = await ServiceCapture.start();
});

afterEach(() => capture.close());

const sound = (seconds: number) => ['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`];
const picture = (seconds: number) => ['-f', 'lavfi', '-i', `testsrc2=size=320x180:rate=25:duration=${seconds}`];

/** Sends a source and opens all of it. @returns what was sent, and the ms that it was charged. */
async function send(media: MediaSource, speed: number) {
  const detected = await detectFormat(media);
  const { sender } = await makeSender(capture, {
    source: detected,
    pace: { speed },
    keys: { cards: [{ cardId: CARD, downlinkKey: DOWNLINK }] },
  });
  await sender.run(NEVER);
  await systemClock.sleep(50);
  const { groups } = capture.open(7, DOWNLINK);
  const { format } = detected;
  return { format, charged: sender.totals.duration, octets: Buffer.concat(groups.flatMap(({ payloads }) => payloads)) };
}

describe.each([
  ['MP3 of a constant rate', 'audio', ['-c:a', 'libmp3lame', '-b:a', '128k', '-f', 'mp3']],
  ['MP3 of a variable rate', 'audio', ['-c:a', 'libmp3lame', '-q:a', '5', '-metadata', 'title=Sine', '-f', 'mp3']],
  ['MPEG audio of layer II', 'audio', ['-c:a', 'mp2', '-b:a', '192k', '-f', 'mp2']],
  ['AAC in ADTS', 'audio', ['-c:a', 'aac', '-f', 'adts']],
  ['a transport stream', 'ts', ['-c:a', 'aac', '-f', 'mpegts']],
  ['a transport stream in packets of 192 octets', 'ts-192', ['-c:a', 'aac', '-f', 'mpegts', '-mpegts_m2ts_mode', '1']],
])('%s as ffmpeg makes it', (name, format, codec) => {
  test('is told, lasts as long as it plays, and arrives bit by bit', async () => {
    const path = join(directory, name);
    const input = format === 'audio' ? sound(SECONDS) : [...picture(SECONDS), ...sound(SECONDS)];
    await run('ffmpeg', ['-v', 'error', '-y', ...input, ...codec, path]);
    const file = await readFile(path);
    const { charged, octets, ...told } = await send(await openSource(path, '127.0.0.1', NEVER), 10);
    expect(told.format).toBe(format);
    expect(octets.equals(file)).toBe(true);
    // Encoders add up to three frames.
    expect(charged).toBeGreaterThanOrEqual(SECONDS * 1000 * 0.99);
    expect(charged).toBeLessThanOrEqual(SECONDS * 1000 * 1.01);
  });
});

test('a transport stream in packets of 204 octets behind something else arrives bit by bit', async () => {
  const path = join(directory, 'clip.ts');
  await run('ffmpeg', ['-v', 'error', '-y', ...picture(SECONDS), '-f', 'mpegts', path]);
  const clip = await readFile(path);
  const packets = Array.from({ length: clip.length / 188 }, (_none, i) => clip.subarray(188 * i, 188 * (i + 1)));
  const parity = new Uint8Array(16);
  const source = Buffer.concat([randomBytes(3000), ...packets.flatMap((packet) => [packet, parity])]);
  await writeFile(path, source);
  const { charged, octets, format } = await send(await openSource(path, '127.0.0.1', NEVER), 10);
  expect(format).toBe('ts-204');
  expect(octets.equals(source)).toBe(true);
  expect(Math.abs(charged - SECONDS * 1000)).toBeLessThanOrEqual(100);
});

test.each([
  ['a transport stream', 'ts', [...picture(3), '-f', 'rtp_mpegts']],
  ['MP3', 'audio', [...sound(3), '-c:a', 'libmp3lame', '-b:a', '64k', '-f', 'rtp']],
])('%s that ffmpeg sends by RTP is taken out of it, and charged by its clock', async (_name, format, args) => {
  const port = await findFreePort();
  const stop = new AbortController();
  const media = await openSource(`udp://127.0.0.1:${port}`, '127.0.0.1', stop.signal);
  const sending = send(media, 1);
  await run('ffmpeg', ['-v', 'error', '-re', ...args, `rtp://127.0.0.1:${port}?pkt_size=1316`]);
  await systemClock.sleep(100);
  stop.abort();
  const { charged, octets, ...told } = await sending;
  expect(told.format).toBe(format);
  expect(Math.abs(charged - 3000)).toBeLessThanOrEqual(format === 'ts' ? 100 : 80);
  if (format === 'ts') for (let at = 0; at < octets.length; at += 188) expect(octets[at]).toBe(0x47);
  else expect(octets[0]).toBe(0xff);
});
