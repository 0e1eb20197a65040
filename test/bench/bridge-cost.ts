import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSource } from '../../host/headend/index.ts';
import { findFreePort, LOOPBACK } from '../support/streams/test-service.ts';
import type { Measurement, Row } from './figures.ts';
import { SrtpSender } from './head-end/srtp-sender.ts';
import { endWithThisProcess, makeScratchFolder } from './left-behind.ts';
import { MeasurementError } from './measurement-error.ts';
import { ADDRESS, makeCard, makeSender, type PaidCard, Watcher, WITHOUT_KOFFI } from './paid-service.ts';

/** What is sent: bit/s, those of the clip itself, its seconds, how often it is played, and rounds by turns. */
interface Load {
  readonly rate: number;
  readonly clipRate: number;
  readonly seconds: number;
  readonly times: number;
  readonly rounds: number;
  /** Of the watch's CPU to ffmpeg's. */
  readonly goal: number;
}

const LOADS: readonly Load[] = [
  { rate: 200_000_000, clipRate: 20_000_000, seconds: 8, times: 20, rounds: 6, goal: 0.28 },
  { rate: 5_000_000, clipRate: 5_000_000, seconds: 8, times: 7, rounds: 3, goal: 1 },
];
/**
 * Part of the stream that is measured: first Node's compiler and ffmpeg's probing have to be done. At 5 Mbit/s the
 * compiler deals with what each packet goes through after some 25 s.
 */
const WINDOW = { from: 0.55, to: 0.97 };
/** Part of the payload that must come out: ffmpeg drops the stuffing, a busy machine some packets. */
const MIN_SHARE_OUT = 0.98;

/** CPU seconds per GB received, opened and written, the bridge against ffmpeg. */
export async function measureBridgeCost(): Promise<Measurement> {
  const folder = makeScratchFolder();
  const rows: Row[] = [];
  for (const load of LOADS) rows.push(...(await measureLoad(load, folder)));
  return {
    how:
      `H.264 and AAC in MPEG-TS by multicast on loopback, paced by the head-end's own pacer in ` +
      `bursts of about 1 ms; tollcast watch with the soft module in a file, sealed, n = 100, span 64, against ffmpeg that receives the same ` +
      `octets as SRTP (AES_CM_128_HMAC_SHA1_80) and copies them to MPEG-TS; both to /dev/null. Best of ${LOADS.map(({ rounds }) => rounds).join(' and ')} rounds, by turns, and one without koffi; CPU of all threads, from ${Math.round(100 * WINDOW.from)} % of the stream on, when Node has compiled what it runs.`,
    rows,
  };
}

async function measureLoad(load: Load, folder: string): Promise<Row[]> {
  const clip = makeClip(folder, load);
  const octets = (await stat(clip)).size;
  const speed = (load.rate * load.seconds * load.times) / (8 * octets);
  let bridge = Infinity;
  let ffmpeg = Infinity;
  for (let round = 0; round < load.rounds; round++) {
    // A card of its own, as the rounds together cost more than one holds.
    const card = await makeCard(folder, load.rate + round);
    bridge = Math.min(bridge, await runBridge(clip, octets, speed, card));
    ffmpeg = Math.min(ffmpeg, await runFfmpeg(clip, octets, speed, folder));
  }
  const without = await runBridge(clip, octets, speed, await makeCard(folder, load.rate - 1), WITHOUT_KOFFI);
  const at = `at ${load.rate / 1e6} Mbit/s`;
  return [
    { what: `tollcast watch ${at}`, figure: bridge, unit: 'CPU s/GB' },
    { what: `ffmpeg, SRTP, ${at}`, figure: ffmpeg, unit: 'CPU s/GB' },
    { what: `tollcast watch / ffmpeg ${at}`, figure: bridge / ffmpeg, unit: '', goal: { atMost: load.goal } },
    { what: `tollcast watch without koffi / with it, ${at}`, figure: without / bridge, unit: '' },
  ];
}

async function runBridge(
  clip: string,
  octets: number,
  speed: number,
  card: PaidCard,
  node: readonly string[] = [],
): Promise<number> {
  const { signal } = new AbortController();
  const source = await openSource(clip, LOOPBACK, signal);
  const { sender, port } = await makeSender([card], source, 'ts', { speed });
  const watcher = new Watcher(port, card, { node });
  await watcher.says('listening');
  const cost = readCost(watcher.process, octets, () => sender.totals.octets);
  await sender.run(signal);
  const { received, missing } = await watcher.bill();
  if (received < MIN_SHARE_OUT * octets)
    throw reportIncomplete('tollcast watch', received, octets, `${missing} missing`);
  return cost;
}

async function runFfmpeg(clip: string, octets: number, speed: number, folder: string): Promise<number> {
  const port = await findFreePort();
  const sender = new SrtpSender();
  const sdp = join(folder, 'srtp.sdp');
  await writeFile(sdp, sender.sdp(ADDRESS, port));
  const receive = [
    '-protocol_whitelist',
    'file,rtp,udp,srtp',
    '-localaddr',
    LOOPBACK,
    '-buffer_size',
    '4194304',
    '-i',
    sdp,
  ];
  const copy = ['-map', '0:v', '-map', '0:a:1', '-c', 'copy', '-f', 'mpegts', '-y', '/dev/null'];
  const ffmpeg = spawn('ffmpeg', ['-nostdin', '-loglevel', 'error', '-progress', 'pipe:1', ...receive, ...copy], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  endWithThisProcess(ffmpeg);
  const ended = once(ffmpeg, 'close');
  let progress = '';
  ffmpeg.stdout.on('data', (chunk: Buffer) => (progress = `${progress}${chunk.toString()}`.slice(-4000)));
  // It does not say when it has joined.
  await sleep(500);
  const cost = readCost(ffmpeg, octets, () => sender.octets);
  await sender.send(await openSource(clip, LOOPBACK, new AbortController().signal), ADDRESS, port, speed);
  await sleep(500);
  ffmpeg.kill('SIGINT');
  await ended;
  const out = Number(/.*total_size=(\d+)/s.exec(progress)?.[1] ?? 0);
  if (out < MIN_SHARE_OUT * octets)
    throw reportIncomplete('ffmpeg', out, octets, 'an ffmpeg without SRTP passes on nothing');
  return cost;
}

/** CPU seconds per GB of payload that was sent within the window. */
async function readCost(receiver: ChildProcess, octets: number, sent: () => number): Promise<number> {
  const reach = async (share: number) => {
    while (sent() < share * octets) {
      if (receiver.exitCode !== null)
        throw new MeasurementError('the receiver ended in the middle of the stream; measure again on a quiet machine');
      await sleep(10);
    }
    return { octets: sent(), cpu: readThreadSeconds(receiver) };
  };
  const from = await reach(WINDOW.from);
  const to = await reach(WINDOW.to);
  return (1e9 * (to.cpu - from.cpu)) / (to.octets - from.octets);
}

/** Seconds of CPU of the threads that a process has now, to the nanosecond: at 5 Mbit/s steps of 0.01 s are coarse. */
function readThreadSeconds({ pid }: ChildProcess): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const times = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  return times.reduce((sum, time) => sum + Number(time), 0) / 1e9;
}

/** A test picture with noise and a tone. @throws Error when there is no ffmpeg. */
function makeClip(folder: string, { clipRate, seconds, times }: Load): string {
  const short = join(folder, `short-${clipRate}.ts`);
  const clip = join(folder, `clip-${clipRate}.ts`);
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=1920x1080:rate=25,noise=alls=20:allf=t'];
  const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000', '-t', String(seconds)];
  const rate = [
    '-b:v',
    String(clipRate),
    '-minrate',
    String(clipRate),
    '-maxrate',
    String(clipRate),
    '-bufsize',
    String(clipRate / 5),
    '-x264-params',
    'nal-hrd=cbr:keyint=25',
  ];
  const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', ...rate, '-c:a', 'aac', '-b:a', '128k'];
  for (const args of [
    [...picture, ...tone, ...codecs, short],
    ['-stream_loop', String(times - 1), '-i', short, '-c', 'copy', clip],
  ]) {
    const { status } = spawnSync('ffmpeg', ['-nostdin', '-loglevel', 'error', ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (status !== 0) throw new Error('ffmpeg made no clip; install ffmpeg with libx264');
  }
  return clip;
}

function reportIncomplete(who: string, out: number, octets: number, what: string): MeasurementError {
  return new MeasurementError(
    `${who} passed on ${out} of ${octets} octets (${what}); measure again on a quiet machine`,
  );
}
