import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, onTestFinished } from 'vitest';
import type { SimulatedCard } from '../../card-sim/index.ts';
import { openOutput } from '../../host/player/open-output.ts';
import type { Output } from '../../host/player/output.ts';
import type { BridgeRun } from '../support/streams/bridge-run.ts';
import { bridgeTest } from '../support/streams/bridge-test.ts';
import { sendAtPace } from '../support/streams/paced-clip.ts';
import { makeClip } from '../support/streams/test-clip.ts';
import { LOOPBACK, makePayloads, personalise, type TestNetwork, TestService } from '../support/streams/test-service.ts';

const EXECUTABLE = '/usr/bin/chromium';
/** A name that its owner lets point to this machine, as in DNS rebinding. */
const REBOUND = 'rebound.example';
const CREDIT = 10_000_000n;
/** Seconds of a clip. */
const CLIP_SECONDS = 40;

const test = bridgeTest('soft');

let browser: Browser;
let page: Page;
let site: Server;
let output: Output;

beforeAll(async () => {
  if (!existsSync(EXECUTABLE)) throw new Error(`${EXECUTABLE} is not there; type: scripts/setup browser`);
  browser = await chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--no-first-run',
      `--host-resolver-rules=MAP ${REBOUND} ${LOOPBACK}`,
    ],
  });
  // Another web site: an empty page of another port.
  site = createServer((_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>another site</title>');
  }).listen(0, LOOPBACK);
  await once(site, 'listening');
});

afterAll(async () => {
  await browser?.close();
  site?.close();
});

afterEach(async () => {
  await page.close();
  await output.close();
});

/** Starts a run that plays into an HTTP output, its keys there. */
async function play(
  card: SimulatedCard,
  network: TestNetwork,
  start: (card: SimulatedCard, options: object) => Promise<BridgeRun>,
) {
  const service = new TestService({ cards: [await personalise(card, 1, CREDIT)] });
  output = await openOutput(`http://${LOOPBACK}:0`, LOOPBACK);
  const run = await start(card, { sink: output });
  network.keys(service.keys());
  await run.until(() => run.bridge.status.state === 'waiting for a player');
  page = await browser.newPage();
  const payloads = makePayloads(30);
  const send = () => network.groups(service.seal(payloads));
  return { run, send, payload: Buffer.concat(payloads) };
}

/** All that a page can do to have `address` asked for; it tells what it could read. */
const STEAL = `async (address) => {
  const read = [];
  const ask = async (method, mode) => {
    try {
      const response = await fetch(address, { method, mode, signal: AbortSignal.timeout(3000) });
      if (response.ok) read.push(method + ' ' + mode);
    } catch {}
  };
  const asked = ['cors', 'no-cors', 'same-origin'].flatMap((mode) => ['GET', 'HEAD', 'POST'].map((method) => ask(method, mode)));
  for (const tag of ['video', 'audio', 'img', 'script', 'iframe']) {
    const element = document.createElement(tag);
    element.src = address;
    element.onloadeddata = () => read.push(tag);
    document.body.append(element);
  }
  const style = document.createElement('link');
  style.rel = 'stylesheet';
  style.href = address;
  document.head.append(style);
  window.open(address);
  await Promise.all(asked);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return read;
}`;

test('a page of another site gets nothing and costs nothing, though it knows the whole address', async ({
  card,
  network,
  start,
}) => {
  const { run, send } = await play(card, network, start);
  await page.goto(`http://${LOOPBACK}:${portOf(site)}/`);
  let players = 0;
  output.onReady = () => players++;
  const stealing = page.evaluate<string[]>(`(${STEAL})(${JSON.stringify(output.where)})`);
  for (let i = 0; i < 10; i++) await send();
  expect(await stealing).toEqual([]);
  expect(players).toBe(0);
  expect(run.bridge.status.groups).toBe(0);
  expect((await run.stop()).bill).toMatchObject({ amount: 0n, balance: CREDIT });
});

test('a page whose name was made to point here gets nothing and costs nothing', async ({ card, network, start }) => {
  const { run, send } = await play(card, network, start);
  const address = output.where.replace(LOOPBACK, REBOUND);
  // For the browser it is now a page of the very origin that it asks.
  expect((await page.goto(address))?.status()).toBe(403);
  const stealing = page.evaluate<string[]>(`(${STEAL})(${JSON.stringify(address)})`);
  for (let i = 0; i < 10; i++) await send();
  expect(await stealing).toEqual([]);
  expect((await run.stop()).bill).toMatchObject({ amount: 0n, balance: CREDIT });
});

test('a page of its own plays the stream', async ({ card, network, start }) => {
  const { run, send, payload } = await play(card, network, start);
  expect((await page.goto(`${new URL(output.where).origin}/`))?.status()).toBe(404);
  const reading = page.evaluate<number[]>(`fetch(${JSON.stringify(output.where)})
    .then((response) => response.arrayBuffer()).then((octets) => [...new Uint8Array(octets)])`);
  await run.until(() => output.isReady);
  await send();
  await run.until(() => run.bridge.status.packets === 30);
  await output.close();
  expect(Buffer.from(await reading).equals(payload)).toBe(true);
  expect((await run.stop()).bill?.amount).toBeGreaterThan(0n);
});

/** Waits until an expression holds in the page, whose policy lets no other way of asking in. @param ms at most. */
async function untilShown(expression: string, ms = 15_000): Promise<void> {
  const hasHeld = () => page.evaluate<boolean>(expression).catch(() => false);
  await expect.poll(hasHeld, { timeout: ms, interval: 100, message: expression }).toBe(true);
}

/** What the page shows: the time played, pictures and octets of sound decoded, and the width of the picture. */
const SHOWN = `(() => {
  const video = document.querySelector('video');
  const { totalVideoFrames: pictures } = video.getVideoPlaybackQuality();
  const said = document.querySelector('span').textContent;
  return { time: video.currentTime, pictures, sound: video.webkitAudioDecodedByteCount, width: video.videoWidth, said };
})()`;
interface Shown {
  readonly time: number;
  readonly pictures: number;
  readonly sound: number;
  readonly width: number;
  readonly said: string;
}

async function makeTestClip(codecs?: string[]): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'tollcast-browser-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return makeClip(join(folder, 'clip.ts'), CLIP_SECONDS, codecs);
}

test('a visit of the address shows picture and sound; a pause takes no more, and playing goes on, after a reload too', async ({
  card,
  network,
  start,
}) => {
  const clip = await makeTestClip();
  const service = new TestService({ cards: [await personalise(card, 1, CREDIT)] });
  output = await openOutput(`http://${LOOPBACK}:0`, LOOPBACK);
  const run = await start(card, { sink: output });
  network.keys(service.keys());
  await run.until(() => run.bridge.status.state === 'waiting for a player');
  page = await browser.newPage();
  const asked: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', ({ message }) => complaints.push(message));
  const visit = await page.goto(output.where);
  expect(visit?.headers()).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': expect.stringContaining(`default-src 'none'; script-src 'self' 'sha256-`) as string,
  });
  await run.until(() => output.isReady);
  const stopSending = sendAtPace(network, service, { clip, seconds: CLIP_SECONDS });
  const isPlaying = 'document.querySelector("video").currentTime > 1';
  await untilShown(isPlaying);
  const first = await page.evaluate<Shown>(SHOWN);
  await untilShown(`document.querySelector("video").currentTime > ${first.time + 0.5}`);
  const shown = [first.width, first.pictures > 10, first.sound > 0, first.said];
  expect(shown).toEqual([320, true, true, expect.stringMatching(/^Playing/)]);
  if (process.env['SCREENSHOT']) await page.screenshot({ path: process.env['SCREENSHOT'] });

  await page.evaluate('document.querySelector("video").pause()');
  await run.until(() => !output.isReady);
  expect(await page.textContent('span')).toBe('Paused: nothing more is taken or paid.');
  const paid = run.bridge.status.paid;
  await sleep(1000);
  expect(run.bridge.status.paid).toBe(paid);
  await page.click('button');
  await untilShown(isPlaying);

  await page.reload();
  await untilShown(isPlaying);
  expect((await page.evaluate<Shown>(SHOWN)).said).toMatch(/^Playing/);

  await page.close();
  await run.until(() => !output.isReady);
  await stopSending();
  const foreign = asked.filter((url) => !url.startsWith(output.where) && !url.startsWith('blob:'));
  expect([foreign, complaints]).toEqual([[], []]);
});

test('what a browser cannot play its page says, and takes no more of it', async ({ card, network, start }) => {
  const clip = await makeTestClip(['-c:v', 'mpeg2video', '-c:a', 'mp2']);
  const service = new TestService({ cards: [await personalise(card, 1, CREDIT)] });
  output = await openOutput(`http://${LOOPBACK}:0`, LOOPBACK);
  const run = await start(card, { sink: output });
  network.keys(service.keys());
  await run.until(() => run.bridge.status.state === 'waiting for a player');
  page = await browser.newPage();
  await page.goto(output.where);
  sendAtPace(network, service, { clip, seconds: CLIP_SECONDS });
  await untilShown('document.querySelector("span").textContent.startsWith("This browser cannot play what comes")');
  await run.until(() => !output.isReady);
});

test('a page whose stream does not come says so', async ({ card, network, start }) => {
  await play(card, network, start);
  await page.goto(output.where);
  await untilShown('document.querySelector("span").textContent.startsWith("The stream does not come")');
});

test('a visit of the address of an MP3 plays it', async ({ card, network, start }) => {
  const service = new TestService({ cards: [await personalise(card, 1, CREDIT)], payloadType: 96 });
  output = await openOutput(`http://${LOOPBACK}:0`, LOOPBACK);
  const run = await start(card, { sink: output });
  network.keys(service.keys());
  await run.until(() => run.bridge.status.state === 'waiting for a player');
  page = await browser.newPage();
  const visiting = page.goto(output.where).catch(() => undefined);
  await run.until(() => output.isReady);
  const source = '-f lavfi -i sine=frequency=440:duration=60 -c:a libmp3lame -b:a 64k';
  const words = `-v error ${source} -id3v2_version 0 -write_xing 0 -f mp3 -`.split(' ');
  const sound = execFileSync('ffmpeg', words);
  const payloads = Array.from({ length: Math.floor(sound.length / 1045) }, (_none, i) =>
    sound.subarray(i * 1045, (i + 1) * 1045),
  );
  // Chromium asks once for the page that it makes, and then for the sound in it: the stream goes on meanwhile.
  const playing = untilShown('document.querySelector("video, audio")?.currentTime > 0.5', 20_000);
  const state = { isPlaying: false };
  void playing.then(() => (state.isPlaying = true)).catch(() => undefined);
  for (let i = 0; i < payloads.length && !state.isPlaying; i += 4) {
    await network.groups(service.seal(payloads.slice(i, i + 4)));
    await sleep(50);
  }
  await playing;
  await visiting;
});

function portOf(server: Server): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}
