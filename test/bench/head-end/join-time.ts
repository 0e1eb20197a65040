import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Running, SoldChannel, waitFor } from '../../support/headend/sold-channel.ts';
import { makeClip } from '../../support/streams/test-clip.ts';
import { findFreePort } from '../../support/streams/test-service.ts';
import { type Measurement, findMedian, type Row } from '../figures.ts';
import { makeScratchFolder } from '../left-behind.ts';
import { MeasurementError } from '../measurement-error.ts';
import type { WatchBill } from '../paid-service.ts';

const CARDS = 12;
const ADDRESS = '239.255.79.2';
/** Frames from one picture that a player can begin with to the next, 25 a second. */
const ENTRY_FRAMES = 10;
/** bit/s. */
const RATE = '5M';
const CLIP_SECONDS = 20;
/** ms within which joins are spread, so that they come at any time between two such pictures and two repeats of keys. */
const SPREAD = 400;
/** Of an hour, as this is what the joins of a run last. */
const PRICE = { content: { price: '0.25 USD/MB' } };

/** What one watch took, s. */
interface Times {
  /** From the start of the process until it listens: finds the channel, reads the card, has the price accepted. */
  readonly listening: number;
  /** From then to the first octet that the card opened. */
  readonly opened: number;
  /** From then to the first octet of a picture that can be shown, as a player receives it. */
  readonly picture: number;
}

/** Time from joining a channel that runs to the first picture, with a request and with keys that the card has. */
export async function measureJoinTime(): Promise<Measurement> {
  const port = await findFreePort();
  const rate = ['-b:v', RATE, '-minrate', RATE, '-maxrate', RATE, '-bufsize', '1M'];
  const entries = ['-x264-params', `nal-hrd=cbr:keyint=${ENTRY_FRAMES}`];
  const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', ...rate, ...entries, '-c:a', 'aac'];
  const clip = await makeClip(join(makeScratchFolder(), 'clip.ts'), CLIP_SECONDS, codecs);
  const session = { name: 'main', source: 'clip.ts', repeat: true, address: `${ADDRESS}:${port}` };
  const service = { number: 7, name: 'Harbour', price: PRICE, sessions: [session] };
  await using channel = await SoldChannel.open(service, { 'clip.ts': clip });
  const cards: string[] = [];
  for (let serial = 1; serial <= CARDS; serial++) cards.push(await channel.makeCard(serial, '10.00 USD'));
  const started: number[] = [];
  for (let i = 0; i < CARDS; i++) {
    const { startedAt, ended } = channel.start('--version');
    await ended;
    started.push((performance.now() - startedAt) / 1000);
  }
  const asked: Times[] = [];
  const held: Times[] = [];
  for (const [times, words] of [
    [asked, ['Harbour', '--head-end', channel.headEnd]],
    [held, ['--address', `${ADDRESS}:${port}`, '--service', '7']],
  ] as const) {
    for (const [i, card] of cards.entries()) {
      await sleep((SPREAD * i) / CARDS);
      times.push(await measureWatch(channel, [...words, '--card', card]));
    }
  }
  const start = findMedian(started);
  return {
    how:
      `tollcast watch with a soft card, against tollcast headend serve on the same machine: H.264 and AAC of 5 Mbit/s, a picture to begin with every ` +
      `${ENTRY_FRAMES / 25} s, keys repeated every 0.25 s, n = 100, groups of at most 250 ms. From when it listens to the first octet that a player gets of a picture that can ` +
      `be shown; ${CARDS} cards, each by its name with a request, and again by its address with the key that it has. Before it listens ` +
      `the process starts, reads the card, asks for the offer and has its price accepted.`,
    rows: [
      { what: 'start of the process (--version), median', figure: start, unit: 's' },
      ...describe('with a request', asked, start, 0.7),
      ...describe('without a request', held, start, 0.5),
    ],
  };
}

function describe(how: string, times: readonly Times[], start: number, atMost: number): Row[] {
  const median = (part: (one: Times) => number) => findMedian(times.map(part));
  return [
    {
      what: `${how}: until it listens, without the start, median`,
      figure: median((one) => one.listening) - start,
      unit: 's',
    },
    { what: `${how}: to the first octet opened, median`, figure: median((one) => one.opened), unit: 's' },
    {
      what: `${how}: wait for a picture to begin with, median`,
      figure: median((one) => one.picture - one.opened),
      unit: 's',
    },
    { what: `${how}: to the first picture, median`, figure: median((one) => one.picture), unit: 's', goal: { atMost } },
    { what: `${how}: to the first picture, worst`, figure: Math.max(...times.map((one) => one.picture)), unit: 's' },
  ];
}

async function measureWatch(channel: SoldChannel, words: readonly string[]): Promise<Times> {
  const player = createSocket('udp4').bind(0, '127.0.0.1');
  await once(player, 'listening');
  try {
    const out = `udp://127.0.0.1:${player.address().port}`;
    const watch = channel.start('watch', ...words, '--out', out, '--yes', '--json');
    let json = '';
    watch.child.stdout!.on('data', (chunk: Buffer) => (json += chunk.toString()));
    const listened = listens(watch);
    const shown = once(player, 'message').then(() => performance.now());
    const [listening, picture] = await Promise.race([
      Promise.all([listened, shown]),
      watch.ended.then(() => {
        throw new MeasurementError(`tollcast watch broke off: ${watch.said().slice(-500)}`);
      }),
    ]);
    watch.child.kill('SIGINT');
    await watch.ended;
    const { firstAfter } = JSON.parse(json) as WatchBill;
    return {
      listening: (listening - watch.startedAt) / 1000,
      opened: (firstAfter ?? NaN) / 1000,
      picture: (picture - listening) / 1000,
    };
  } finally {
    player.close();
  }
}

/** @returns ms of `performance.now()` when it said that it listens. */
async function listens({ child, said }: Running): Promise<number> {
  let at = 0;
  child.stderr!.on('data', () => {
    if (at === 0 && said().includes('listening')) at = performance.now();
  });
  return waitFor(said, () => (at === 0 ? undefined : at));
}
