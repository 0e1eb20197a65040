import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatCardId, type ModuleClass, parseCardId } from '../../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { deriveCardKey } from '../../../../apdu/decode-module/keys/card-keys.ts';
import { parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { TEST_KEY_SET } from '../../../../apdu/secure-channel/test-key-set.ts';
import { type SimulatedCard, startCard } from '../../../../card-sim/index.ts';
import { openOfferSigner } from '../../../../host/headend/announce/offer-signer.ts';
import { sealGrant } from '../../../../host/headend/keys/grants/grant.ts';
import { openPairKey } from '../../../../host/headend/keys/grants/pair-key.ts';
import { Accounts } from '../../../../host/issuer/cards/accounts.ts';
import { personalise } from '../../../../host/issuer/cards/personalisation.ts';
import { createStore, KeyStore } from '../../../../host/issuer/keys/key-store.ts';
import { findFreeTcpPort } from '../../../support/headend/headend-fixture.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { PASSPHRASE } from '../../../support/issuer-fixture.ts';
import { runTollcast, TOLLCAST } from '../../../support/tollcast-cli.ts';

/** Seconds. */
const SEGMENT = 20;
/** Octets a second. */
const RATE = 25_000;
const CLIP = randomBytes(250_000);

interface LogRow {
  readonly card: string;
  readonly kind: string;
  readonly service: number;
  readonly segment: number | null;
}

let folder: string;
let capture: ServiceCapture;
/** Of a second service, whose segment keys are multicast under pairs of it. */
let pairCapture: ServiceCapture;
let pierCapture: ServiceCapture;
let applet: SimulatedCard;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-unicast-'));
  capture = await ServiceCapture.start({ reuseAddr: true });
  pairCapture = await ServiceCapture.start({ reuseAddr: true });
  pierCapture = await ServiceCapture.start({ reuseAddr: true });
  applet = await startCard({ kind: 'jcardsim' });
  await createStore(join(folder, 'issuer'), 0x0a1b2c, PASSPHRASE, 14);
  await writeFile(join(folder, 'clip.bin'), CLIP);
}, 60_000);

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await applet.close();
  await capture.close();
  await pairCapture.close();
  await pierCapture.close();
  await rm(folder, { recursive: true });
});

/** Makes a blank card one that trusts the offers of this head-end. */
async function makeCard(card: SimulatedCard, moduleClass: ModuleClass, state: string): Promise<string> {
  const { keyId, publicKey } = await openOfferSigner(state, 1, undefined);
  await using accounts = await Accounts.open(join(folder, 'issuer'));
  const channel = await card.channel();
  const cardId = await personalise(
    {
      channel,
      keys: new KeyStore(join(folder, 'issuer'), async () => PASSPHRASE),
      accounts,
      installed: TEST_KEY_SET,
      now: Math.floor(Date.now() / 1000),
    },
    {
      moduleClass,
      currency: 840,
      maximumBalance: 1_000_000n,
      maximumUnacknowledged: 1_000_000n,
      trust: [{ id: keyId, key: publicKey }],
    },
  );
  await channel.close();
  return formatCardId(cardId);
}

/** Kinds of the messages that the key port has brought. */
function kindsOnAir({ messages } = capture): (number | undefined)[] {
  return [...new Set(messages.map((message) => message[0]))];
}

/** How many pieces of the clip, which is sent again and again, were played one after the other. */
async function countPieces(out: string): Promise<number> {
  const played = await readFile(join(folder, out));
  const twice = Buffer.concat([CLIP, CLIP]);
  let pieces = 0;
  for (let at = 0; at < played.length; pieces++) {
    const begin = twice.indexOf(played.subarray(at, at + 1000));
    if (begin < 0) return Infinity;
    const shift = begin - at;
    while (at < played.length && played[at] === CLIP[(at + shift) % CLIP.length]) at++;
  }
  return pieces;
}

function start(...args: string[]) {
  const env = { ...process.env, TOLLCAST_PASSPHRASE: PASSPHRASE };
  const child = spawn(process.execPath, [TOLLCAST, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return { child, said: () => said, ended: once(child, 'close').then(([code]) => code as number | null) };
}

/** The first service, as JSON. @param joinLength seconds: its offer is another one with each. */
/** A session that sends the clip over and over, its segment keys by `keys`. */
function session({ address, port }: ServiceCapture, keys: object) {
  return {
    name: 'main',
    source: join(folder, 'clip.bin'),
    format: 'data',
    rate: 8 * RATE,
    repeat: true,
    address: `${address}:${port}`,
    profile: { every: 20, closingTime: 500 },
    keys: { ...keys, parent: 'private-half', segment: SEGMENT, period: SEGMENT },
  };
}

function harbour(joinLength: number): string {
  const price = { content: { price: '5.00 USD/h', settlement: 'invoice' } };
  return JSON.stringify({
    number: 7,
    name: 'Harbour',
    price,
    join: { length: joinLength },
    sessions: [session(capture, { delivery: 'unicast' })],
  });
}

/** Sends a purchase of the service at 10 times its price, for one card, to the key port. */
async function multicastDearPurchase(cardId: Uint8Array, { address, port }: ServiceCapture): Promise<void> {
  const unique = await new KeyStore(join(folder, 'issuer'), async () => PASSPHRASE).open('unique');
  const from = Math.floor(Date.now() / 1000) - 10;
  const ceilings = { perMegabyte: 0n, perHour: 0n, flat: 1_000_000n, groupOctets: 1, groupDuration: 1, quantum: 1n };
  const purchase = { service: 9, keyId: 1, key: randomBytes(16), from, to: from + 3600, number: from, ceilings };
  const message = sealGrant(purchase, cardId, deriveCardKey(unique, 'downlink', cardId)).octets;
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.setMulticastInterface('127.0.0.1');
  for (let i = 0; i < 5; i++, await sleep(100)) socket.send(message, port + 2, address);
  socket.close();
}

test('channels are watched by name over several segments: by unicast, under pairs of the service, and sold one by one', async () => {
  const state = join(folder, 'state');
  const config = join(folder, 'tv.yaml');
  const url = `https://127.0.0.1:${await findFreeTcpPort()}`;
  await writeFile(
    config,
    `listen: ${url.slice(8)}
state: ${state}
issuer: ${folder}/issuer
services:
  - ${harbour(40)}
  - ${JSON.stringify({ number: 8, name: 'Lighthouse', price: { content: { price: '0.01 USD/MB' } }, sessions: [session(pairCapture, { strategy: 'pair' })] })}
  - ${JSON.stringify({ number: 9, name: 'Pier', price: { content: { price: '0.10 USD/programme' } }, sessions: [session(pierCapture, { strategy: 'single' })] })}
`,
  );
  await mkdir(state);
  const pairKey = (await openPairKey(state, undefined)).publicFile!;
  const withPair = await makeCard(applet, 'card', state);
  const at = ['--card', applet.address, '--store', join(folder, 'issuer')];
  const env = { ...process.env, TOLLCAST_PASSPHRASE: PASSPHRASE };
  expect(await runTollcast(['issuer', 'pair', ...at, '--head-end', pairKey], { env })).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`card ${withPair} has a key pair: 04`) as string,
  });
  const soft = join(folder, 'card');
  await using softCard = await startCard({ kind: 'soft', state: soft });
  const without = await makeCard(softCard, 'soft', state);
  await softCard.close();
  for (const card of [applet.address, `soft:${soft}`]) {
    const credit = ['--store', join(folder, 'issuer'), '--amount', '0.90 USD'];
    const loaded = await runTollcast(['issuer', 'load', '--card', card, ...credit], { env });
    expect(loaded).toMatchObject({ code: 0, stdout: expect.stringContaining('0.90 USD') as string });
  }

  // A third card has a pair, too, and watches the service that has pairs of its own.
  const softPair = join(folder, 'card-with-pair');
  await using pairCard = await startCard({ kind: 'soft', state: softPair });
  const third = await makeCard(pairCard, 'soft', state);
  await pairCard.close();
  const ofThird = ['--card', `soft:${softPair}`, '--store', join(folder, 'issuer')];
  expect(await runTollcast(['issuer', 'pair', ...ofThird, '--head-end', pairKey], { env })).toMatchObject({ code: 0 });
  expect(await runTollcast(['issuer', 'load', ...ofThird, '--amount', '1.00 USD'], { env })).toMatchObject({ code: 0 });

  const head = start('headend', 'serve', '--config', config);
  await expect.poll(head.said, { timeout: 60_000 }).toContain('the head-end runs');

  const watch = (card: string, out: string, name = 'harbour') =>
    start('watch', name, '--head-end', url, '--card', card, '--out', join(folder, out), '--yes');
  const stays = watch(applet.address, 'stays.bin');
  const byPair = watch(`soft:${softPair}`, 'by-pair.bin', 'lighthouse');
  const leaves = watch(`soft:${soft}`, 'leaves.bin');
  const sizeOf = async (out: string) => (await stat(join(folder, out)).catch(() => ({ size: 0 }))).size;
  await expect.poll(() => sizeOf('leaves.bin'), { timeout: 60_000 }).toBeGreaterThan(5 * RATE);
  // Nobody who only listens has seen a segment key.
  expect(kindsOnAir()).toEqual([KIND.content]);
  leaves.child.kill('SIGINT');
  expect([await leaves.ended, leaves.said()]).toEqual([0, expect.stringMatching(/USD/)]);
  // The other channel sells each segment by itself, for the purse.
  const buys = watch(`soft:${soft}`, 'buys.bin', 'pier');
  await expect.poll(() => sizeOf('buys.bin'), { timeout: 60_000 }).toBeGreaterThan(0);
  await multicastDearPurchase(parseCardId(without), pierCapture);
  // The offer that the first card has joined under is closed; it goes on under the next one, as that costs no more.
  await writeFile(join(folder, 'harbour.json'), harbour(3600));
  const put = ['headend', 'service', 'put', join(folder, 'harbour.json'), '--config', config];
  expect(await runTollcast(put)).toMatchObject({ code: 0 });
  // The answer to a join brings two of these segments, and the third one comes by a key request alone.
  await expect
    .poll(() => sizeOf('stays.bin'), { timeout: 120_000, interval: 500 })
    .toBeGreaterThan(2.3 * SEGMENT * RATE);
  stays.child.kill('SIGINT');
  expect([await stays.ended, stays.said()]).toEqual([0, expect.stringMatching(/USD/)]);
  await expect.poll(() => sizeOf('by-pair.bin'), { timeout: 60_000 }).toBeGreaterThan(2.2 * SEGMENT * RATE);
  byPair.child.kill('SIGINT');
  expect([await byPair.ended, byPair.said()]).toEqual([0, expect.stringMatching(/USD/)]);
  // It has left, and made room on its card.
  {
    await using card = await startCard({ kind: 'soft', state: softPair });
    const module = new DecodeModule(await card.channel());
    await module.select();
    expect((await module.listKeys()).filter(({ kind }) => kind === KIND.servicePair)).toEqual([]);
  }

  const pairBuys = watch(applet.address, 'pair-buys.bin', 'pier');
  await expect.poll(() => sizeOf('pair-buys.bin'), { timeout: 60_000 }).toBeGreaterThan(3 * RATE);
  for (const run of [buys, pairBuys]) run.child.kill('SIGINT');
  expect([await buys.ended, await pairBuys.ended]).toEqual([0, 0]);
  expect(new Set(kindsOnAir(pierCapture))).toEqual(new Set([KIND.content, KIND.service]));
  expect([await countPieces('buys.bin'), await countPieces('pair-buys.bin')]).toEqual([1, 1]);
  // Each segment that was opened is paid, and no other.
  expect(buys.said()).toMatch(/\nbill +0\.[3-9]0 USD/);
  expect(pairBuys.said()).toMatch(/\nbill +0\.[1-3]0 USD/);
  const { stdout: info } = await runTollcast(['card', 'info', '--card', `soft:${soft}`]);
  expect(new Set(info.match(/\w+ \d+ of service 9/g)?.map((key) => key.split(' ')[0]))).toEqual(new Set(['segment']));
  // What came by the key port and was above the offer did not go to the card, and that was said once.
  expect(buys.said().split('a purchase that its offer does not cover')).toHaveLength(2);

  const { stdout } = await runTollcast(['headend', 'log', '--config', config]);
  const { log } = JSON.parse(stdout) as { log: LogRow[] };
  const segmentsOf = (card: string, service: number) => {
    const rows = log.filter((row) => row.card === card && row.service === service);
    return new Set(rows.flatMap(({ segment }) => (segment === null ? [] : [segment])));
  };
  expect(log.some(({ card, kind }) => card === withPair && kind === 'extend')).toBe(true);
  expect(segmentsOf(withPair, 7).size).toBeGreaterThanOrEqual(3);
  expect(segmentsOf(without, 7).size).toBeLessThanOrEqual(2);
  expect(segmentsOf(without, 9).size).toBeGreaterThanOrEqual(3);
  expect(head.said()).toContain(`"card":"${withPair}","parent":"private-half"`);
  expect(head.said()).toContain(`"card":"${without}","parent":"unique-key"`);

  expect(head.said()).toContain('key strategy pair: the operator wants one message for all');
  expect(head.said()).toContain(`"card":"${third}","strategy":"pair"`);
  expect(segmentsOf(third, 8).size).toBeGreaterThanOrEqual(3);
  // Each segment key was multicast, once and under a private half alone.
  const multicast = pairCapture.messages.map(parseKeyMessage);
  const segmentKeys = multicast.filter(({ kind }) => kind === KIND.segment);
  expect(new Set(segmentKeys.map(({ parentKind }) => parentKind))).toEqual(new Set([KIND.servicePair]));
  expect(new Set(segmentKeys.map(({ keyId }) => keyId)).size).toBe(segmentKeys.length);

  expect(await countPieces('by-pair.bin')).toBe(1);
  // The service began a new stream when its definition was changed; nothing else was missed.
  expect(await countPieces('stays.bin')).toBe(2);
  // The leave brought a key that nobody could ask for in time: it came by the key port, under the key of each member.
  expect(kindsOnAir()).not.toContain(KIND.segment);
  head.child.kill('SIGTERM');
  expect(await head.ended).toBe(0);
}, 240_000);
