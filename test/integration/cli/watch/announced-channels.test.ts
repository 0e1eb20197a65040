import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toHex } from '../../../../apdu/octets.ts';
import { findChannels } from '../../../../host/cli/channels/find-channels.ts';
import { HEARING_TIME, hearChannels, MAX_HEAD_ENDS } from '../../../../host/cli/channels/hear-channels.ts';
import { formatOfferHint, OFFER_ATTRIBUTE, type OfferHint } from '../../../../host/contract/announcement/offer-hint.ts';
import { encodeSapPacket, SAP_PORT } from '../../../../host/contract/announcement/sap-packet.ts';
import { parseOffer, signOffer } from '../../../../host/contract/offer/signed-offer.ts';
import { openTlsIdentity } from '../../../../host/headend/api/tls-identity.ts';
import { UdpSender } from '../../../../host/transport/network/udp-sender.ts';
import { SAMPLE_OFFER, SAMPLE_SIGNER } from '../../../support/headend/sample-offer.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';

const ADDRESS = `239.255.${process.pid & 0xff}.249`;
const LOCAL = '127.0.0.1';
const OFFER = signOffer(SAMPLE_OFFER, SAMPLE_SIGNER);
const ID = toHex(parseOffer(OFFER).sessionHash);
const OTHER_ID = 'ab'.repeat(20);
const WRONG_KEY = 'cd'.repeat(32);

let folder: string;
let sender: UdpSender;
let tlsKey: string;
/** Answers with the one offer, whichever it is asked for. */
let server: ReturnType<typeof createHttpsServer>;
let asked: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-announced-'));
  const { key, certificate, fingerprint } = await openTlsIdentity(folder, undefined, LOCAL);
  tlsKey = fingerprint;
  server = createHttpsServer({ key, cert: certificate }, ({ url = '' }, response) => {
    asked.push(url);
    response.end(OFFER);
  }).listen(0, LOCAL);
  await once(server, 'listening');
  sender = await UdpSender.open({ address: ADDRESS, port: SAP_PORT, interface: LOCAL, ttl: 1 });
});

afterAll(async () => {
  await sender.close();
  server.close();
  await rm(folder, { recursive: true });
});

const urlOf = (listener: { address(): AddressInfo | string | null }) =>
  `https://${LOCAL}:${(listener.address() as AddressInfo).port}`;

function announce(hint: OfferHint, isDeletion = false): Uint8Array {
  const sdp = `v=0\r\no=- 1 1 IN IP4 ${LOCAL}\r\ns=x\r\na=${OFFER_ATTRIBUTE}:${formatOfferHint(hint)}\r\n`;
  return encodeSapPacket({ isDeletion, hash: 1, source: Uint8Array.of(127, 0, 0, 1), sdp });
}

/** Hears announcements by a clock that stands still, while these are sent, until it is enough. */
async function hear(packets: readonly Uint8Array[], isEnough: (heard: string[]) => boolean) {
  const clock = new SimulatedClock();
  const heard: string[] = [];
  asked = [];
  const hearing = hearChannels(
    { address: ADDRESS, interface: LOCAL, clock },
    (offer) => heard.push(toHex(offer.sessionHash)),
    new AbortController().signal,
  );
  for (let tries = 0; !isEnough(heard) && tries < 200; tries++) {
    for (const packet of packets) sender.send(packet);
    await sleep(25);
  }
  await clock.advance(HEARING_TIME);
  await hearing;
  return heard;
}

test('garbage, lies about key and hash, and withdrawals by anybody: the true offer is heard once', async () => {
  const url = urlOf(server);
  const truth = announce({ id: ID, url, tlsKey });
  const forged = [
    ...[1, 7, 8, 24, 300, 1024, 1400].map((length) => randomBytes(length)),
    truth.with(0, truth[0]! | 2),
    truth.with(1, 255),
    truth.subarray(0, 60),
    announce({ id: ID, url, tlsKey: WRONG_KEY }),
    announce({ id: OTHER_ID, url: url.replace(LOCAL, 'localhost'), tlsKey }),
    announce({ id: OTHER_ID, url, tlsKey }),
    announce({ id: ID, url, tlsKey }, true),
  ];
  expect(await hear([...forged, truth], (heard) => heard.length > 0 && asked.length >= 3)).toEqual([ID]);
  // Each is asked for once, and whoever has another key than was announced is asked for nothing.
  expect(asked.toSorted()).toEqual([ID, OTHER_ID, OTHER_ID].map((id) => `/v1/offers/${id}`).toSorted());
});

test('a flood of head-ends that never answer: as many are asked as may be, and the time does not grow', async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket.on('error', () => undefined))).listen(0, LOCAL);
  await once(silent, 'listening');
  const url = urlOf(silent);
  const flood = Array.from({ length: 4 * MAX_HEAD_ENDS }, () =>
    announce({ id: ID, url, tlsKey: randomBytes(32).toString('hex') }),
  );
  expect(await hear(flood, () => sockets.length >= MAX_HEAD_ENDS)).toEqual([]);
  expect(sockets).toHaveLength(MAX_HEAD_ENDS);
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test('the search ends when what is wanted was found, though time stands still', async () => {
  const packet = announce({ id: ID, url: urlOf(server), tlsKey });
  const timer = setInterval(() => sender.send(packet), 25);
  const found = await findChannels(
    { announcements: ADDRESS, interface: LOCAL },
    {
      isWanted: ({ name }) => name === SAMPLE_OFFER.name,
      clock: new SimulatedClock(),
      own: new URL('https://[::1]:1'),
    },
  );
  clearInterval(timer);
  expect(found.map(({ name }) => name)).toEqual([SAMPLE_OFFER.name]);
});

test('where nothing is heard it is told what to type', async () => {
  const clock = new SimulatedClock();
  const search = findChannels({ announcements: ADDRESS, interface: LOCAL }, { clock, own: new URL('https://[::1]:1') });
  await expect(clock.advanceUntil(search)).rejects.toThrow(/--interface, or the head-end with --head-end https:/);
});
