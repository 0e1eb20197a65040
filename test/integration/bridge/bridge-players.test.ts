import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { cardTest } from '../../../card-sim/vitest.ts';
import { openOutput } from '../../../host/player/open-output.ts';
import type { Output } from '../../../host/player/output.ts';
import { type BridgeRun, startBridge } from '../../support/streams/bridge-run.ts';
import { makeClip, probeClip } from '../../support/streams/test-clip.ts';
import { LOOPBACK, personalise, TestNetwork, TestService } from '../../support/streams/test-service.ts';

const test = cardTest('soft');
const PAYLOAD = 1316;
const SECONDS = 8;
/** Clip seconds in one second. */
const SPEED = 3;

let directory: string;
let payloads: Uint8Array[];
let network: TestNetwork;
let output: Output | undefined;
let run: BridgeRun | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-players-'));
  const clip = await makeClip(join(directory, 'clip.ts'), SECONDS);
  payloads = Array.from({ length: Math.ceil(clip.length / PAYLOAD) }, (_, i) =>
    clip.subarray(i * PAYLOAD, (i + 1) * PAYLOAD),
  );
});

afterAll(() => rm(directory, { recursive: true, force: true }));

beforeEach(async () => {
  network = await TestNetwork.open();
});

afterEach(async () => {
  await run?.stop();
  await output?.close().catch(() => undefined);
  await network.close();
});

/** Sends the clip in time for a player. */
async function sendClip(service: TestService): Promise<void> {
  const groups = service.seal(payloads);
  for (const group of groups) {
    await network.groups([group]);
    await sleep((1000 * SECONDS) / SPEED / groups.length);
  }
}

test('ffprobe reads the recovered stream over HTTP without a complaint', async ({ card }) => {
  const service = new TestService({ cards: [await personalise(card, 1, 10_000_000n)] });
  output = await openOutput(`http://${LOOPBACK}:0`, LOOPBACK);
  run = await startBridge(network, card, { sink: output });
  network.keys(service.keys());
  const probing = probeClip(output.where);
  await run.until(() => output!.isReady);
  await sendClip(service);
  await run.until(() => run!.bridge.status.packets === payloads.length);
  await output.close();
  expect(await probing).toEqual({ complaints: '', streams: ['audio', 'video'] });
});

test('ffprobe reads the recovered stream over RTP without a complaint', async ({ card }) => {
  const service = new TestService({ cards: [await personalise(card, 1, 10_000_000n)] });
  const port = await evenPort();
  // By rtp:// alone it would guess from the first packet what the stream is, and start after it.
  const session = `v=0\no=- 0 0 IN IP4 ${LOOPBACK}\ns=-\nc=IN IP4 ${LOOPBACK}\nt=0 0\nm=video ${port} RTP/AVP 33\n`;
  const file = join(directory, 'session.sdp');
  await writeFile(file, session);
  const from = ['-protocol_whitelist', 'file,rtp,udp', '-read_intervals', '%+4', '-i', file];
  const show = ['-v', 'error', '-count_packets', '-show_entries', 'stream=codec_type', '-of', 'csv=p=0'];
  const probing = promisify(execFile)('ffprobe', [...show, ...from]);
  await sleep(500);
  output = await openOutput(`rtp://${LOOPBACK}:${port}`, LOOPBACK);
  run = await startBridge(network, card, { sink: output });
  network.keys(service.keys());
  await sendClip(service);
  const { stdout, stderr } = await probing;
  expect(stderr).toBe('');
  expect(new Set(stdout.split('\n').filter((line) => line !== ''))).toEqual(new Set(['audio', 'video']));
});

async function evenPort(): Promise<number> {
  for (;;) {
    const socket = createSocket('udp4');
    socket.bind(0, LOOPBACK);
    await once(socket, 'listening');
    const { port } = socket.address();
    socket.close();
    if (port % 2 === 0) return port;
  }
}
