import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openOutput } from '../../host/player/open-output.ts';
import type { Output } from '../../host/player/output.ts';
import { ClearWriter } from '../../host/stream/opening/clear-packets.ts';
import { writeRtpHeader } from '../../host/stream/packet/rtp-packet.ts';
import { findFreePort, LOOPBACK } from '../support/streams/test-service.ts';

const PAYLOAD = 1316;
const SECONDS = 30;
const [WIDTH, HEIGHT, RATE] = [320, 180, 25];
/** Octets of a raw picture. */
const RAW = (WIDTH * HEIGHT * 3) / 2;
/** Pictures that each player has to show: two seconds. */
const SHOWN = 2 * RATE;
/** No player needs to be root, and VLC refuses to be. */
const NOBODY = '65534';
/** ms. */
const MAX_TIME = 25_000;

/** A player: how it is started for an input, and how many pictures it has decoded so far. */
interface Player {
  readonly args: (input: string, shown: string) => string[];
  readonly inputs: Readonly<Record<Way, (at: string) => string>>;
  readonly count: (said: string, shown: string) => Promise<number>;
}
type Way = 'HTTP' | 'pipe' | 'UDP' | 'RTP';

const sizeOf = async (path: string) => (await stat(path).catch(() => undefined))?.size ?? 0;
const plain = (at: string) => at;

const PLAYERS: Readonly<Record<string, Player>> = {
  ffplay: {
    args: (input) =>
      `ffplay -v info -nostats -autoexit -protocol_whitelist file,rtp,udp,http,tcp,pipe -vf showinfo -i ${input}`.split(
        ' ',
      ),
    inputs: { HTTP: plain, pipe: () => 'pipe:0', UDP: (port) => `udp://${LOOPBACK}:${port}`, RTP: plain },
    count: async (said) => said.match(/showinfo.* n: *\d+ /g)?.length ?? 0,
  },
  mpv: {
    args: (input, shown) =>
      (
        `mpv --no-config --really-quiet --of=nut --ovc=rawvideo --oac=pcm_s16le --o=${shown} ` +
        `--demuxer-lavf-o=protocol_whitelist=[file,rtp,udp] ${input}`
      ).split(' '),
    inputs: { HTTP: plain, pipe: () => '-', UDP: (port) => `udp://${LOOPBACK}:${port}`, RTP: plain },
    count: async (_said, shown) => Math.floor((await sizeOf(shown)) / RAW),
  },
  VLC: {
    args: (input, shown) =>
      (
        `cvlc -q --no-dbus --play-and-exit --sout ` +
        `#transcode{vcodec=mp2v,vb=4000,acodec=none}:std{access=file,mux=ts,dst=${shown}} ${input}`
      ).split(' '),
    inputs: { HTTP: plain, pipe: () => '-', UDP: (port) => `udp://@:${port}`, RTP: (port) => `rtp://@:${port}` },
    // A picture has a start code of its own, ISO/IEC 13818-2 6.2.3.
    count: async (_said, shown) =>
      (await readFile(shown, 'latin1').catch(() => '')).split('\u0000\u0000\u0001\u0000').length - 1,
  },
  GStreamer: {
    args: (input, shown) =>
      `gst-launch-1.0 -q ${input} ! tsdemux ! h264parse ! openh264dec ! filesink location=${shown}`.split(' '),
    inputs: {
      HTTP: (url) => `souphttpsrc location=${url}`,
      pipe: () => 'fdsrc fd=0',
      UDP: (port) => `udpsrc address=${LOOPBACK} port=${port}`,
      RTP: (port) =>
        `udpsrc address=${LOOPBACK} port=${port} caps=application/x-rtp,media=video,clock-rate=90000,encoding-name=MP2T ! rtpmp2tdepay`,
    },
    count: async (_said, shown) => Math.floor((await sizeOf(shown)) / RAW),
  },
};

let folder: string;
let clip: Buffer;
const opened: Output[] = [];
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-players-'));
  await chmod(folder, 0o777);
  const picture = ['-f', 'lavfi', '-i', `testsrc2=size=${WIDTH}x${HEIGHT}:rate=${RATE}:duration=${SECONDS}`];
  const sound = ['-f', 'lavfi', '-i', `sine=frequency=440:duration=${SECONDS}`];
  const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', `${RATE}`, '-c:a', 'aac', '-f', 'mpegts'];
  execFileSync('ffmpeg', ['-v', 'error', ...picture, ...sound, ...codecs, join(folder, 'clip.ts')]);
  clip = await readFile(join(folder, 'clip.ts'));
});

afterAll(async () => {
  for (const child of children) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  for (const output of opened) await output.close();
  await rm(folder, { recursive: true, force: true });
});

function start(name: string, way: Way, at: string) {
  const { args, inputs, count } = PLAYERS[name]!;
  const shown = join(folder, `${name}-${way}`);
  const words = args(inputs[way](at), shown);
  const drop = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', ...words];
  const line = way === 'pipe' ? `exec "$@" <'${at}'` : 'exec "$@"';
  const child = spawn('bash', ['-c', line, 'bash', ...drop], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, HOME: folder, SDL_VIDEODRIVER: 'dummy', SDL_AUDIODRIVER: 'dummy' },
  });
  children.push(child);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return { name, said: () => said, count: () => count(said, shown) };
}

/** Where a player finds the stream, and the output that gives it there. */
async function open(name: string, way: Way, outputs: Output[]): Promise<string> {
  if (way === 'HTTP') {
    outputs[0] ??= await openOutput(`http://${LOOPBACK}:0`, LOOPBACK);
    return outputs[0].where;
  }
  if (way === 'pipe') {
    const path = join(folder, `fifo-${name}`);
    execFileSync('mkfifo', ['-m', '666', path]);
    outputs.push(await openOutput(path, LOOPBACK));
    return path;
  }
  const port = await findFreePort();
  outputs.push(await openOutput(`${way.toLowerCase()}://${LOOPBACK}:${port}`, LOOPBACK));
  if (way === 'UDP' || name === 'VLC' || name === 'GStreamer') return `${port}`;
  const session = join(folder, `${name}.sdp`);
  await writeFile(
    session,
    `v=0\no=- 0 0 IN IP4 ${LOOPBACK}\ns=-\nc=IN IP4 ${LOOPBACK}\nt=0 0\nm=video ${port} RTP/AVP 33\n`,
  );
  return session;
}

test.concurrent.each<Way>(['HTTP', 'pipe', 'UDP', 'RTP'])(
  'ffplay, mpv, VLC and GStreamer show what comes by %s, joined in the middle',
  async (way) => {
    const players = [];
    const outputs: Output[] = [];
    for (const name of Object.keys(PLAYERS)) players.push(start(name, way, await open(name, way, outputs)));
    opened.push(...outputs);
    const began = performance.now();
    const packets = Math.ceil(clip.length / PAYLOAD);
    const perSecond = packets / SECONDS;
    const first = Math.floor(perSecond * 1.4);
    let counts: Record<string, number> = {};
    let next = first;
    do {
      for (; next < packets && next - first < (perSecond * (performance.now() - began)) / 1000; next++) {
        const payload = clip.subarray(next * PAYLOAD, (next + 1) * PAYLOAD);
        const writer = new ClearWriter();
        const header = new Uint8Array(12);
        const timestamp = Math.round((next / perSecond) * 90_000);
        writeRtpHeader(header, { marker: false, payloadType: 33, sequence: next & 0xffff, timestamp, ssrc: 2 });
        writer.reserve(payload.length).set(payload, writer.octets);
        writer.push(header, 12, payload.length);
        // As a bridge does, it gives nothing to an output that takes nothing.
        for (const output of outputs) if (output.isReady) output.write(writer.written);
      }
      await sleep(20);
      counts = {};
      for (const player of players) counts[player.name] = Math.min(SHOWN, await player.count());
    } while (Object.values(counts).some((count) => count < SHOWN) && performance.now() - began < MAX_TIME);
    const said = players.map(({ name, said: says }) => `${name}: ${says().slice(-300)}`).join('\n');
    expect(counts, said).toEqual(Object.fromEntries(Object.keys(PLAYERS).map((name) => [name, SHOWN])));
  },
);
