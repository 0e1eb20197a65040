import { execFileSync } from 'node:child_process';
import { createPublicKey, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { fromHex } from '../../../apdu/octets.ts';
import { verifyOffer } from '../../../host/contract/offer/signed-offer.ts';
import { formatSession } from '../../../host/contract/session/session-identity.ts';
import { type HeadendFixture, readJson, startHeadend } from '../../support/headend/headend-fixture.ts';
import { SoftViewer } from '../../support/headend/soft-viewer.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { sourceOf } from '../../support/streams/test-sender.ts';

/** What a configuration says that others tests leave out, and what comes of it. */
const SERVICE = 7;
const JOIN = { length: 900, interval: 45, confirm: 20, keepAlive: 100 };
const TRANSFER = 60;
/** s: a moment after what is due, as timers run on their own. */
const MOMENT = 1;

let folder: string;
let clock: SimulatedClock;
let fixture: HeadendFixture;
let offer: string;
const viewers: SoftViewer[] = [];

const service = {
  number: SERVICE,
  name: 'Harbour',
  rating: 16,
  accept: ['soft'],
  price: {
    content: { price: '5.00 USD/h', settlement: 'invoice' },
    delivery: { price: '9.90 USD/period', period: 2_592_000, payer: 'provider', settlement: 'invoice' },
  },
  join: JOIN,
  sessions: [
    {
      name: 'main',
      origin: 'finnkino 457286529 172.10.20.212',
      source: 'memory',
      format: 'data',
      rate: 10_000,
      address: '239.255.7.12:41000',
      keyPort: 41_010,
    },
  ],
};
const config = () => ({
  url: 'https://tv.example:9443/',
  tls: { key: join(folder, 'tls.key'), certificate: join(folder, 'tls.crt') },
  signing: { id: 5, key: join(folder, 'sign.pem') },
  charging: { mode: 'transfer', period: TRANSFER },
});
const openSource = async () => sourceOf([new Uint8Array(10_000_000)]);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-settings-'));
  const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
  const pair = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'tls.key'];
  openssl('req', '-x509', ...pair, '-out', 'tls.crt', '-subj', '/CN=tv.example', '-days', '2');
  openssl('genpkey', '-algorithm', 'ed25519', '-out', 'sign.pem');
  clock = new SimulatedClock(Date.UTC(2026, 11, 24, 20));
  fixture = await startHeadend([service], { clock, openSource, config: config() });
  for (const serial of [1, 2]) viewers.push(await SoftViewer.start(serial, 0n));
  const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string }[] };
  offer = offers[0]!.id;
});

afterAll(async () => {
  for (const viewer of viewers) await viewer.close();
  await clock.advanceUntil(fixture[Symbol.asyncDispose]());
  await rm(folder, { recursive: true });
});

const now = () => Math.floor(clock.now() / 1000);

async function members(): Promise<string[]> {
  const path = `/v1/operator/services/${SERVICE}/sessions/main/members`;
  const { members: listed } = readJson(await fixture.askOperator('GET', path)) as { members: { card: string }[] };
  return listed.map(({ card }) => card);
}

/** Lets time pass, and what is due be done and written. */
async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds + MOMENT; i++) await clock.advance(1000);
  await fixture.ask('GET', '/healthz');
}

test('an offer says what the configuration says, under a signing key and a TLS key of the operator', async () => {
  const { body } = await fixture.ask('GET', `/v1/offers/${offer}`);
  const pem = await readFile(join(folder, 'sign.pem'), 'utf8');
  const key = new Uint8Array(Buffer.from(createPublicKey(pem).export({ format: 'jwk' }).x!, 'base64url'));
  const read = verifyOffer(body, [{ id: 5, key }]);
  const publicKey = execFileSync('openssl', ['x509', '-in', join(folder, 'tls.crt'), '-pubkey', '-noout']);
  const der = execFileSync('openssl', ['pkey', '-pubin', '-outform', 'der'], { input: publicKey });
  const digest = execFileSync('openssl', ['dgst', '-sha256', '-r'], { input: der }).toString().slice(0, 64);
  expect(read).toMatchObject({
    name: 'Harbour',
    service: SERVICE,
    rating: 16,
    classes: ['soft'],
    joinLength: JOIN.length,
    requestInterval: JOIN.interval,
    keepAlive: JOIN.keepAlive,
    components: [
      { part: 'content', payer: 'user', basis: 'duration', price: 5_000_000n, settlement: 'invoice' },
      { part: 'delivery', payer: 'provider', basis: 'period', period: 2_592_000, price: 9_900_000n },
    ],
    headEnds: [{ url: 'https://tv.example:9443', tlsKey: digest }],
    address: { address: '239.255.7.12', port: 41_000, keyPort: 41_010 },
  });
  expect(formatSession(read.session)).toBe('finnkino 457286529 172.10.20.212');
  // The fixture asks a server with this key alone.
  expect(fixture.tlsKey).toBe(digest);
});

test('a card that does not confirm is dropped after the time that the configuration gives it', async () => {
  const { module, cardId } = viewers[0]!;
  const sessionHash = fromHex(offer);
  const request = { service: SERVICE, from: now(), to: now() + 600, requestId: randomBytes(8), sessionHash };
  const headers = { 'content-type': 'application/octet-stream' };
  const body = await module.signRequest('join', request);
  expect((await fixture.ask('POST', '/v1/requests', { body, headers })).status).toBe(200);
  await pass(JOIN.confirm - 3);
  expect(await members()).toEqual([formatCardId(cardId)]);
  await pass(3);
  expect(await members()).toEqual([]);
});

test('a silent member is dropped, and open entries are transferred every period meanwhile', async () => {
  const viewer = viewers[1]!;
  const asked = { service: SERVICE, offer, from: now(), to: now() + 600 };
  expect(await viewer.request(fixture, 'join', asked)).toMatchObject({ outcome: 'joined' });
  const user = formatCardId(viewer.cardId);
  // Billing writes in a thread of its own.
  const waitForBill = async (isClosed: boolean) => {
    for (let tries = 0; tries < 200; tries++) {
      const { bills } = readJson(await fixture.askOperator('GET', '/v1/operator/bills')) as {
        bills: { user: string; seconds: number; isClosed: boolean }[];
      };
      const bill = bills.find((one) => one.user === user && one.isClosed === isClosed);
      if (bill !== undefined) return bill;
      await clock.advance(50);
    }
    throw new Error('there is no such bill');
  };
  await pass(TRANSFER + 5);
  expect((await waitForBill(false)).seconds).toBeGreaterThan(0);
  expect(await members()).toEqual([user]);
  await pass(JOIN.keepAlive - TRANSFER);
  expect((await waitForBill(true)).seconds).toBe(JOIN.keepAlive);
  expect(await members()).toEqual([]);
});

test.each([
  ['TLS_FILES', (at: string) => ({ tls: { key: join(at, 'sign.pem'), certificate: join(at, 'sign.pem') } })],
  ['TLS_FILES', (at: string) => ({ tls: { key: join(at, 'nothing'), certificate: join(at, 'nothing') } })],
  ['SIGNING_KEY', (at: string) => ({ signing: { id: 1, key: join(at, 'tls.key') } })],
])('%s: wrong files do not start a head-end, and no key is quoted', async (code, change) => {
  const wrong = { ...config(), ...change(folder) };
  const failure = await startHeadend([], { clock, config: wrong }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code });
  expect(String(failure)).not.toContain('PRIVATE KEY');
});
