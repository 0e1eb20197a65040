import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { encodeCardLimits, NO_LIMITS } from '../../apdu/decode-module/card-limits.ts';
import { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { parseReceipt } from '../../apdu/decode-module/money/receipt.ts';
import { DGI } from '../../apdu/decode-module/personalisation.ts';
import { encodePin } from '../../apdu/decode-module/pin.ts';
import { openSecureChannel } from '../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../apdu/secure-channel/test-key-set.ts';
import { startCard } from '../../card-sim/index.ts';
import { systemClock } from '../../host/clock/clock.ts';
import { RelayServer } from '../../host/relay/relay-server.ts';
import { Relay } from '../../host/relay/relay.ts';
import { PagePort } from '../support/page-usb.ts';
import { sendAtPace } from '../support/streams/paced-clip.ts';
import { makeClip } from '../support/streams/test-clip.ts';
import { personalise, TestNetwork, TestService } from '../support/streams/test-service.ts';
import { MemoryUsbDevice } from '../support/tokens/memory-usb-device.ts';

const EXECUTABLE = '/usr/bin/chromium';
const CREDIT = 10_000_000n;
/** Micro-units for 1,000,000 octets. */
const PRICE = 250_000;
const QUANTUM = 250_000;
const CLIP_SECONDS = 60;
/** ms between two rounds of key messages. */
const KEYS_EVERY = 500;

let browser: Browser;
let folder: string;
let network: TestNetwork;
let relay: Relay;
let server: RelayServer;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  if (!existsSync(EXECUTABLE)) throw new Error(`${EXECUTABLE} is not there; type: scripts/setup browser`);
  const args = ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required'];
  browser = await chromium.launch({ executablePath: EXECUTABLE, args });
});

afterAll(() => browser?.close());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-page-'));
  network = await TestNetwork.open();
  relay = await Relay.open(network.service);
  server = await RelayServer.open(relay, 0);
  page = await browser.newPage();
  complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', ({ message }) => complaints.push(message));
  onTestFinished(async () => {
    await page.close();
    await server.close();
    await relay.close();
    await network.close();
    await rm(folder, { recursive: true, force: true });
  });
});

/** Makes the file of a card that has credit. */
async function makeCardFile(): Promise<{ readonly file: string; readonly cardId: Uint8Array }> {
  const file = join(folder, 'viewer.card');
  const card = await startCard({ kind: 'soft', state: file });
  const cardId = await personalise(card, 1, CREDIT);
  await card.close();
  return { file, cardId };
}

/** Sends keys and a clip, over and over and at its pace. */
async function broadcast(cardId: Uint8Array): Promise<void> {
  const service = new TestService({ cards: [cardId], tariff: { kind: 'octets', price: BigInt(PRICE) } });
  const sendKeys = () => network.keys(service.keys());
  const carousel = setInterval(sendKeys, KEYS_EVERY);
  onTestFinished(() => clearInterval(carousel));
  sendAtPace(network, service, { clip: await makeClip(join(folder, 'clip.ts'), CLIP_SECONDS), seconds: CLIP_SECONDS });
}

async function untilShown(expression: string, ms = 20_000): Promise<void> {
  const hasHeld = () => page.evaluate<boolean>(expression).catch(() => false);
  await expect.poll(hasHeld, { timeout: ms, interval: 100, message: expression }).toBe(true);
}

function textOf(id: string): Promise<string | null> {
  return page.textContent(`#${id}`);
}

/** Of what the page shows, as in "9.876543 USD". */
async function microUnits(id: string): Promise<number> {
  const [, units = '', decimals = ''] = /^(\d+)\.(\d+) USD/.exec((await textOf(id)) ?? '') ?? [];
  return Number(units) * 1e6 + Number(decimals.padEnd(6, '0'));
}

const octetsPaid = async () => Number.parseInt((await page.getAttribute('#paid', 'title')) ?? '', 10);

test('a page opens a stream with a card of its own, plays it, pays for it to the octet, and goes on after a reload', async () => {
  const { file, cardId } = await makeCardFile();
  await page.goto(server.where);
  await untilShown('document.querySelector("#state").textContent.startsWith("There is no card")');
  expect(await page.isDisabled('#play')).toBe(true);
  await page.setInputFiles('#file', file);
  await untilShown('document.querySelector("#state").textContent.startsWith("The card is in this browser now")');
  await broadcast(cardId);
  await page.click('#play');
  await untilShown('document.querySelector("#question").open');
  expect(await textOf('question')).toMatch(/^service 7 costs 0\.25 USD\/MB.*; balance 10\.00 USD\. Pay it\?/);
  await untilShown('document.querySelector("#paid").title === "0 octets"');
  await page.click('#question [value=yes]');
  const isPlaying = 'document.querySelector("video").currentTime > 1';
  await untilShown(isPlaying);
  if (process.env['SCREENSHOT']) await page.screenshot({ path: process.env['SCREENSHOT'] });
  const { width, pictures, sound } = await page.evaluate<{ width: number; pictures: number; sound: number }>(`(() => {
    const video = document.querySelector('video');
    const pictures = video.getVideoPlaybackQuality().totalVideoFrames;
    return { width: video.videoWidth, pictures, sound: video.webkitAudioDecodedByteCount };
  })()`);
  expect([width, pictures > 10, sound > 0]).toEqual([320, true, true]);

  await page.evaluate('document.querySelector("video").pause()');
  await untilShown('document.querySelector("#state").textContent.startsWith("Paused")');
  await new Promise((resolve) => setTimeout(resolve, 500));
  const paid = await octetsPaid();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(await octetsPaid()).toBe(paid);
  await page.click('#play');
  await untilShown(isPlaying);
  await page.click('#stop');
  await untilShown('document.querySelector("#bill").textContent !== "-"');
  const bill = await microUnits('bill');
  expect(bill).toBe(Math.ceil(((await octetsPaid()) * PRICE) / 1e6));
  const balance = await microUnits('balance');
  expect(balance).toBe(Number(CREDIT) - bill);

  await page.click('#play');
  await page.click('#question [value=yes]');
  await untilShown('document.querySelector("video").currentTime < 1');
  await untilShown(isPlaying);
  const before = Math.ceil(((await octetsPaid()) * PRICE) / 1e6);
  await page.reload();
  await untilShown('document.querySelector("#state").textContent === "Ready."');
  await page.click('#play');
  await page.click('#question [value=yes]');
  await untilShown(isPlaying);
  await page.click('#stop');
  await untilShown('document.querySelector("#bill").textContent !== "-"');
  const gone = balance - (await microUnits('balance')) - (await microUnits('bill'));
  // A reload cuts the run off as a pulled card does: at most a quantum of it is torn.
  expect(gone).toBeGreaterThanOrEqual(before);
  expect(gone).toBeLessThanOrEqual(before + 2 * QUANTUM);
  expect(complaints).toEqual([]);
});

test('a page plays by a USB token, waits while it is pulled, and asks for it once', async () => {
  await using card = await startCard({ kind: 'jcardsim' });
  const cardId = await personalise(card, 2, CREDIT);
  const port = await PagePort.of(page);
  const plug = () => port.plug(new MemoryUsbDevice({ card, clock: systemClock }));
  await page.goto(server.where);
  await page.selectOption('#card', 'usb');
  await page.click('#play');
  await untilShown('document.querySelector("#state").textContent.startsWith("no token was chosen")');
  plug();
  await broadcast(cardId);
  await page.click('#play');
  await page.click('#question [value=yes]');
  await untilShown('document.querySelector("video").currentTime > 1');
  port.pull();
  await untilShown('document.querySelector("#state").textContent.startsWith("waiting for the card")');
  const paid = await octetsPaid();
  plug();
  await untilShown(`Number.parseInt(document.querySelector("#paid").title) > ${paid}`);
  // Another page load is to the token another host.
  await port.closePage();
  await page.reload();
  await page.selectOption('#card', 'usb');
  await page.click('#play');
  await page.click('#question [value=yes]');
  await untilShown('document.querySelector("video").currentTime > 1');
  await page.click('#stop');
  await untilShown('document.querySelector("#bill").textContent !== "-"');
  expect(port.choices).toBe(2);
  const channel = await card.channel();
  const module = new DecodeModule(channel);
  await module.select();
  const { balance, receiptsWritten } = await module.getPurse();
  const receipts = [];
  for (let number = 1; number <= receiptsWritten; number++)
    receipts.push(parseReceipt(await module.getReceipt(number)));
  // What left the purse is what the receipts say, and what was torn by pulling.
  expect(receipts.reduce((sum, { amount, torn }) => sum + amount + torn, 0n)).toBe(CREDIT - balance);
  expect(receipts).toHaveLength(3);
});

test('a file that is not a card is refused, and a card that is there is kept', async () => {
  const { file } = await makeCardFile();
  await page.goto(server.where);
  await page.setInputFiles('#file', { name: 'holiday.jpg', mimeType: 'image/jpeg', buffer: Buffer.alloc(5000, 7) });
  await untilShown('document.querySelector("#state").textContent.startsWith("holiday.jpg: it is not a soft card")');
  await page.setInputFiles('#file', file);
  await untilShown('document.querySelector("#state").textContent.startsWith("The card is in this browser now")');
  expect(await page.isVisible('#file')).toBe(false);
});

test('a page plays MP3 by itself, with the PIN that the card wants', async () => {
  const { file, cardId } = await makeCardFile();
  const card = await startCard({ kind: 'soft', state: file });
  const channel = await card.channel();
  const module = new DecodeModule(channel);
  await module.select();
  const secure = new DecodeModule(await openSecureChannel(channel, TEST_KEY_SET));
  await secure.storeData(DGI.limits, encodeCardLimits({ ...NO_LIMITS, pinForSessions: true }), false);
  await secure.storeData(DGI.pin, encodePin('4711'), false);
  await card.close();
  await page.goto(server.where);
  await page.setInputFiles('#file', file);
  const service = new TestService({ cards: [cardId], payloadType: 96 });
  const carousel = setInterval(() => network.keys(service.keys()), KEYS_EVERY);
  onTestFinished(() => clearInterval(carousel));
  // Frames of 288 octets, so that each payload begins with one, as those of a head-end do.
  const source = '-f lavfi -i sine=frequency=440:duration=30 -ar 32000 -c:a libmp3lame -b:a 64k';
  const sound = execFileSync('ffmpeg', `-v error ${source} -id3v2_version 0 -write_xing 0 -f mp3 -`.split(' '));
  sendAtPace(network, service, { clip: sound, seconds: 30, payload: 4 * 288 });
  const begin = async (pin: string) => {
    await page.fill('#pin', pin);
    await page.click('#play');
  };
  await begin('12');
  await untilShown('document.querySelector("#state").textContent.startsWith("a PIN has 4 to 8 digits")');
  await begin('0000');
  await untilShown('document.querySelector("#state").textContent.startsWith("wrong PIN, 2 tries are left")');
  await begin('4711');
  await page.click('#question [value=yes]');
  await untilShown('document.querySelector("video").currentTime > 1');
  expect(await page.inputValue('#pin')).toBe('');
  expect(complaints).toEqual([]);
});

test('a page that does not read misses what comes meanwhile, and others get it', async () => {
  const open = () =>
    new WebSocket(`${server.where.replace('http', 'ws')}stream`, { origin: server.where.slice(0, -1) });
  const [slow, quick] = [open(), open()];
  let octets = 0;
  quick.on('message', (message: Buffer) => (octets += message.length));
  await Promise.all([once(slow, 'open'), once(quick, 'open')]);
  slow.pause();
  const datagrams = Array.from({ length: 1000 }, () => new Uint8Array(1400));
  for (let sent = 0; relay.missed === 0 && sent < 40; sent++) await network.media(datagrams);
  expect(relay.missed).toBeGreaterThan(0);
  expect(octets).toBeGreaterThan(2_000_000);
  for (const socket of [slow, quick]) socket.terminate();
});

test('a page of another site gets no stream, and nothing but the page and its modules is sent', async () => {
  const status = (origin?: string) =>
    new Promise<string>((resolve) => {
      const socket = new WebSocket(
        `${server.where.replace('http', 'ws')}stream`,
        origin === undefined ? {} : { origin },
      );
      socket.on('open', () => {
        resolve('open');
        socket.close();
      });
      socket.on('error', ({ message }) => resolve(message));
    });
  expect(await status('https://elsewhere.example')).toContain('403');
  expect(await status()).toContain('403');
  expect(await status(server.where.slice(0, -1))).toBe('open');
  const paths = [
    'package.json',
    'modules/package.json',
    'modules/host/../package.json',
    'modules/host/%2e%2e/README.md',
  ];
  for (const path of [...paths, 'packages/@noble/ciphers/../../../package.json', 'modules/test/browser/page.test.ts']) {
    expect((await fetch(`${server.where}${path}`)).status).toBe(404);
  }
  expect((await fetch(server.where, { method: 'POST' })).status).toBe(405);
});
