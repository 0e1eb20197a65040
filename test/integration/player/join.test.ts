import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openOutput } from '../../../host/player/open-output.ts';
import type { Output } from '../../../host/player/output.ts';
import { ClearWriter } from '../../../host/stream/opening/clear-packets.ts';
import { writeRtpHeader } from '../../../host/stream/packet/rtp-packet.ts';
import { findFreePort } from '../../support/streams/test-service.ts';

const run = promisify(execFile);
const LOOPBACK = '127.0.0.1';
const PAYLOAD = 1316;
const SECONDS = 6;

const PICTURE = ['-f', 'lavfi', '-i', `testsrc2=size=320x180:rate=25:duration=${SECONDS}`];
const SOUND = ['-f', 'lavfi', '-i', `sine=frequency=440:duration=${SECONDS}`];
/** Real streams, with a whole picture every second. */
const CLIPS: Readonly<Record<string, readonly string[]>> = {
  'H.264 and AAC': [...PICTURE, ...SOUND, '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-c:a', 'aac'],
  'H.265 and AAC': [...PICTURE, ...SOUND, '-c:v', 'libx265', '-x265-params', 'keyint=25:log-level=none', '-c:a', 'aac'],
  'MPEG-2 and MP2': [...PICTURE, ...SOUND, '-c:v', 'mpeg2video', '-g', '25', '-c:a', 'mp2'],
  'AAC alone': [...SOUND, '-c:a', 'aac'],
};

let folder: string;
const clips = new Map<string, Buffer>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-join-'));
  for (const [name, made] of Object.entries(CLIPS)) {
    const path = join(folder, 'clip.ts');
    await run('ffmpeg', ['-v', 'error', '-y', ...made, '-f', 'mpegts', path]);
    clips.set(name, await readFile(path));
  }
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Gives an output the packets of a stream from one on, some at a time. */
async function play(
  output: Output,
  stream: Buffer,
  from: number,
  { until = Infinity, pause = 0, payload: size = PAYLOAD } = {},
): Promise<void> {
  const packets = Math.min(Math.ceil(stream.length / size), until);
  for (let i = from; i < packets;) {
    const writer = new ClearWriter();
    for (const end = Math.min(i + 10, packets); i < end; i++) {
      const payload = stream.subarray(i * size, (i + 1) * size);
      const header = new Uint8Array(12);
      writeRtpHeader(header, { marker: false, payloadType: 33, sequence: i & 0xffff, timestamp: i * 90, ssrc: 2 });
      writer.reserve(payload.length).set(payload, writer.octets);
      writer.push(header, 12, payload.length);
    }
    output.write({ ...writer.written, isStart: i <= 10 });
    if (pause > 0) await sleep(pause);
  }
}

/** What ffprobe says of a place when it is told to say everything that is amiss, and which streams it finds. */
async function probe(...from: readonly string[]): Promise<{ said: string; streams: string[] }> {
  const show = ['-v', 'warning', '-count_packets', '-show_entries', 'stream=codec_type', '-of', 'csv=p=0'];
  const { stdout, stderr } = await run('ffprobe', [...show, ...from]);
  return { said: stderr, streams: [...new Set(stdout.split(/[\n,]+/).filter((word) => word !== ''))].toSorted() };
}

/** Connections to an HTTP output, as the system lists them: proc(5), state 01 is an established one. */
async function countPlayers(output: Output): Promise<number> {
  const port = Number(new URL(output.where).port).toString(16).toUpperCase().padStart(4, '0');
  const table = await readFile('/proc/net/tcp', 'latin1');
  return table.split('\n').filter((line) => new RegExp(`: \\w+:${port} \\w+:\\w+ 01 `).test(line)).length;
}

describe.each(Object.keys(CLIPS))('%s, joined in the middle of a picture', (name) => {
  const streams = name === 'AAC alone' ? ['audio'] : ['audio', 'video'];
  /** In the middle of a second, between two whole pictures. */
  const middle = () => Math.floor((clips.get(name)!.length / PAYLOAD) * (2.6 / SECONDS));

  test('begins with PAT, PMT and a whole picture in a file; what is withheld is counted', async () => {
    const clip = clips.get(name)!;
    const [path, cut] = [join(folder, `${name}.ts`), join(folder, `${name} cut.ts`)];
    const output = await openOutput(path, LOOPBACK);
    await play(output, clip, middle());
    await output.close();
    expect(await probe(path)).toEqual({ said: '', streams });
    // The stream as it came is one that ffprobe complains about, or at least has to skip the start of.
    await writeFile(cut, clip.subarray(middle() * PAYLOAD));
    if (name === 'H.264 and AAC') expect((await probe(cut)).said).not.toBe('');
    const written = await readFile(path);
    const rest = clip.subarray(middle() * PAYLOAD + output.withheld);
    expect(written.subarray(-rest.length).equals(rest)).toBe(true);
    // Two tables in front of it.
    expect(written.length - rest.length).toBe(2 * 188);
  });

  test('begins so for each player over HTTP, also for one that joins later', async () => {
    const clip = clips.get(name)!;
    const output = await openOutput(`http://${LOOPBACK}:0`, LOOPBACK);
    const first = probe(output.where);
    while (!output.isReady) await sleep(10);
    const packets = Math.ceil(clip.length / PAYLOAD);
    await play(output, clip, middle(), { until: middle() + packets / 6, pause: 5 });
    const { withheld } = output;
    const second = probe(output.where);
    while ((await countPlayers(output)) < 2) await sleep(20);
    await sleep(100);
    await play(output, clip, middle() + Math.ceil(packets / 6), { pause: 5 });
    await output.close();
    expect(await first).toEqual({ said: '', streams });
    expect(await second).toEqual({ said: '', streams });
    // What the later one does not get yet the first one does.
    expect(output.withheld).toBe(withheld);
  });

  test('from its start is the stream, bit by bit', async () => {
    const path = join(folder, `${name} whole.ts`);
    const output = await openOutput(path, LOOPBACK);
    await play(output, clips.get(name)!, 0);
    await output.close();
    expect((await readFile(path)).equals(clips.get(name)!)).toBe(true);
    expect(output.withheld).toBe(0);
  });
});

test.each([
  ['192', 4, 0],
  ['204', 0, 16],
])(
  'packets of %s octets, joined in the middle, begin with PAT, PMT and a whole picture',
  async (size, lead, behind) => {
    const clip = clips.get('H.264 and AAC')!;
    const packets = Array.from({ length: clip.length / 188 }, (_none, i) =>
      Buffer.concat([Buffer.alloc(lead, i), clip.subarray(i * 188, (i + 1) * 188), Buffer.alloc(behind, 0xff)]),
    );
    const stream = Buffer.concat(packets);
    const perPayload = 6 * packets[0]!.length;
    const path = join(folder, `in ${size}.ts`);
    const output = await openOutput(path, LOOPBACK);
    const from = Math.floor((stream.length / perPayload) * (2.6 / SECONDS));
    await play(output, stream, from, { payload: perPayload });
    await output.close();
    expect(await probe(path)).toEqual({ said: '', streams: ['audio', 'video'] });
    const rest = stream.subarray(from * perPayload + output.withheld);
    const written = await readFile(path);
    expect(written.subarray(-rest.length).equals(rest)).toBe(true);
    expect(written.length - rest.length).toBe(2 * packets[0]!.length);
  },
);

test('over RTP the tables come in a packet of their own, with the number before', async () => {
  const clip = clips.get('H.264 and AAC')!;
  const port = await findFreePort();
  const session = `v=0\no=- 0 0 IN IP4 ${LOOPBACK}\ns=-\nc=IN IP4 ${LOOPBACK}\nt=0 0\nm=video ${port} RTP/AVP 33\n`;
  const file = join(folder, 'session.sdp');
  await writeFile(file, session);
  const probing = probe('-protocol_whitelist', 'file,rtp,udp', '-read_intervals', '%+2', '-i', file);
  await sleep(1000);
  const output = await openOutput(`rtp://${LOOPBACK}:${port}`, LOOPBACK);
  const packets = Math.ceil(clip.length / PAYLOAD);
  await play(output, clip, Math.floor(packets * 0.43), { pause: 10 });
  expect(await probing).toEqual({ said: '', streams: ['audio', 'video'] });
  await output.close();
});
