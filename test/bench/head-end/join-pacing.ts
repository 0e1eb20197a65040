import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyStore } from '../../../host/issuer/keys/key-store.ts';
import { requestPinned } from '../../../host/transport/network/pinned-https.ts';
import type { HeadendFixture } from '../../support/headend/headend-fixture.ts';
import { SoftViewer } from '../../support/headend/soft-viewer.ts';
import { SoldChannel } from '../../support/headend/sold-channel.ts';
import { findFreePort, type TestIssuer } from '../../support/streams/test-service.ts';
import { findMedian, type Row } from '../figures.ts';
import { MeasurementError } from '../measurement-error.ts';

const VIEWERS = 1000;
/** s in which they come, one after the other. */
const SECONDS = 60;
/** s before the streams are looked at, in which Node compiles what it runs. */
const WARM_UP = 5;
/** Sessions that the process sends, bit/s of each. */
const SESSIONS = ['main', 'second', 'third', 'fourth'];
const RATE = 5_000_000;
const SERVICE = 7;
const ADDRESS = '239.255.79.3';
/** Octets of an answer. */
const MAX_ANSWER = 1_000_000;
/** s of the joins that they ask for. */
const JOIN = 1800;
/** Number of the channel's issuer. */
const ISSUER = 0x4b455a;
/** ms: as long as the pacer itself lets packets wait for each other. */
const MAX_ADDED = 10;
const LATENESS = 'tollcast_packet_lateness_seconds{';

/** ms, by share of the packets. */
type Late = Readonly<Record<'median' | '99 %' | '99.9 %' | 'longest', number>>;
type Ask = HeadendFixture['ask'];

/** How it is measured. */
export const JOIN_PACING =
  `Then tollcast headend serve, which sends ${SESSIONS.length} sessions of ${RATE / 1e6} Mbit/s of plain data by multicast on ` +
  `loopback, for ${SECONDS} s while nobody joins, and for ${SECONDS} s in which ${VIEWERS.toLocaleString('en')} viewers with soft cards join ` +
  `one of them, each over connections of its own, and confirm their keys; how late packets went is of the latest session, as /metrics tells it.`;

/** How late the packets of `tollcast headend serve` go, with nobody joining, and with a thousand viewers in a minute. */
export async function measureJoinPacing(): Promise<Row[]> {
  const service = await describeService();
  await using channel = await SoldChannel.open(service, { 'plain.data': randomBytes(2_000_000) });
  const issuer = await openIssuer(channel);
  const viewers: SoftViewer[] = [];
  for (let serial = 1; serial <= VIEWERS; serial++) viewers.push(await SoftViewer.start(serial, 0n, issuer));
  const alone = await measureLateness(channel, service, () => sleep(1000 * SECONDS));
  const times: number[] = [];
  const joined = await measureLateness(channel, service, async () => {
    times.push(...(await joinInTurn(channel, viewers)));
  });
  for (const viewer of viewers) await viewer.close();
  const rows = (what: string, late: Late): Row[] =>
    Object.entries(late).map(([share, ms]) => ({ what: `lateness, ${what}: ${share}`, figure: ms, unit: 'ms' }));
  return [
    { what: 'viewers that joined over HTTPS in a minute', figure: times.length, unit: '', goal: { atLeast: VIEWERS } },
    { what: 'a join over HTTPS, with its confirm, median', figure: findMedian(times), unit: 'ms' },
    { what: 'a join over HTTPS, with its confirm, longest', figure: Math.max(...times), unit: 'ms' },
    ...rows('nobody joins', alone),
    ...rows(`${VIEWERS.toLocaleString('en')} join`, joined),
    {
      what: 'lateness that the joins add, 99 %',
      figure: joined['99 %'] - alone['99 %'],
      unit: 'ms',
      goal: { atMost: MAX_ADDED },
    },
  ];
}

/** By invoice: each member has a key of its own, and what is on the key port grows with the list. */
async function describeService(): Promise<object> {
  const sessions = [];
  for (const name of SESSIONS) {
    const address = `${ADDRESS}:${await findFreePort()}`;
    sessions.push({ name, source: 'plain.data', format: 'data', rate: RATE, repeat: true, address });
  }
  const price = { content: { price: '5.00 USD/h', settlement: 'invoice' } };
  return { number: SERVICE, name: 'Harbour', price, join: { length: JOIN }, sessions };
}

/** Has the streams begin anew, and so what is told of them, and then reads how late their packets went. */
async function measureLateness(channel: SoldChannel, service: object, meanwhile: () => Promise<void>): Promise<Late> {
  await sleep(1000 * WARM_UP);
  const body = Buffer.from(JSON.stringify(service));
  const { status } = await askOperator(channel, 'PUT', `/v1/operator/services/${SERVICE}`, body);
  if (status !== 200) throw new MeasurementError(`the head-end answered a change of its service with ${status}`);
  await meanwhile();
  const answer = await askOperator(channel, 'GET', '/metrics');
  const lines = Buffer.from(answer.body).toString().split('\n');
  const worst = (quantile: string) => {
    const told = lines.filter((line) => line.startsWith(LATENESS) && line.includes(`quantile="${quantile}"`));
    if (told.length !== SESSIONS.length) throw new MeasurementError('the head-end does not tell how late packets go');
    return 1000 * Math.max(...told.map((line) => Number(line.split(' ').at(-1))));
  };
  return { median: worst('0.5'), '99 %': worst('0.99'), '99.9 %': worst('0.999'), longest: worst('1') };
}

/** @returns ms that each join took. */
async function joinInTurn({ headEnd }: SoldChannel, viewers: readonly SoftViewer[]): Promise<number[]> {
  const ask: Ask = (method, path, options = {}) =>
    requestPinned({ url: new URL(path, headEnd), method, maxAnswer: MAX_ANSWER, ...options });
  const list = Buffer.from((await ask('GET', '/v1/offers')).body).toString();
  const { offers } = JSON.parse(list) as { offers: { id: string }[] };
  const startedAt = performance.now();
  const joins = viewers.map(async (viewer, i) => {
    await sleep(Math.max(0, startedAt + (1000 * SECONDS * i) / VIEWERS - performance.now()));
    const from = Math.floor(Date.now() / 1000);
    const askedAt = performance.now();
    const asked = { service: SERVICE, offer: offers[0]!.id, from, to: from + JOIN };
    const answer = await viewer.request({ ask }, 'join', asked);
    if (typeof answer === 'string') throw new MeasurementError(`a join was answered with ${answer}`);
    return performance.now() - askedAt;
  });
  return Promise.all(joins);
}

/** The issuer of the channel, as cards that it makes need it. */
async function openIssuer({ folder, passphrase }: SoldChannel): Promise<TestIssuer> {
  const store = new KeyStore(join(folder, '.tollcast', 'issuer'), async () => passphrase);
  const [unique, uplink, receipt, load] = [
    await store.open('unique'),
    await store.open('uplink'),
    await store.open('receipt'),
    await store.open('load'),
  ];
  return { number: ISSUER, masters: { unique, uplink, receipt, load } };
}

async function askOperator({ folder, headEnd }: SoldChannel, method: 'GET' | 'PUT', path: string, body?: Uint8Array) {
  const token = (await readFile(join(folder, 'state', 'operator.token'), 'utf8')).trim();
  const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) };
  return requestPinned({ url: new URL(path, headEnd), method, headers, maxAnswer: MAX_ANSWER, ...(body && { body }) });
}
