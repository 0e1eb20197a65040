import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeCardId, formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { toHex } from '../../../../apdu/octets.ts';
import { isProblemCode, type ProblemCode, PROBLEMS } from '../../../../host/contract/answers/problem.ts';
import { BILL_HASH } from '../../../../host/contract/bill/bill-request.ts';
import { parseLoadReply } from '../../../../host/contract/loads/load-messages.ts';
import { QUOTA } from '../../../../host/headend/requests/answered-requests.ts';
import { Accounts } from '../../../../host/issuer/cards/accounts.ts';
import type { PinnedAnswer } from '../../../../host/transport/network/pinned-https.ts';
import { HandPurse } from '../../../support/cards/hand-purse.ts';
import { type HeadendFixture, readJson, startHeadend } from '../../../support/headend/headend-fixture.ts';
import { HandCard, ISSUER, SOLD } from '../../../support/headend/request-desk-fixture.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { MASTERS } from '../../../support/streams/test-service.ts';

/**
 * Every problem that the API can answer, asked for over HTTPS of a head-end that runs. Cards are signed for by hand, so
 * that they can say what no card says.
 */
const NOW = Date.UTC(2026, 11, 24, 20) / 1000;
/** Sessions in which a card may have keys that it did not confirm. */
const MAX_UNCONFIRMED = 31;
/** Wrong codes of vouchers that a card may send in an hour. */
const MAX_WRONG = 10;
const ACCOUNTED = 20;
const STRANGER = 99;
const CODE = 'ABCD-EFGH-JKMN-PQRS';

let fixture: HeadendFixture;
/** A head-end that takes no receipts and loads no cards. */
let plain: HeadendFixture;
/** What is sold, by the name of its session. */
const offers = new Map<string, typeof SOLD>();
let loads = 0;
let sessions = 0;

const cards = new Map<number, HandCard>();

/** A soft module, whose request ids go on. */
function card(serial: number): HandCard {
  const known = cards.get(serial) ?? new HandCard(serial, { master: MASTERS.uplink });
  cards.set(serial, known);
  return known;
}

/** A card with an id or keys that no card of the issuer has. */
function forgedCard(options: ConstructorParameters<typeof HandCard>[1]): HandCard {
  return new HandCard(1, { master: MASTERS.uplink, ...options });
}

/** The purse of a soft module. */
function purse(serial: number, issuer = ISSUER): HandPurse {
  return new HandPurse(encodeCardId({ issuer, moduleClass: 'soft', serial }));
}

const sold = (name = 'main') => ({ sold: offers.get(name)! });
const post = (path: string, body: Uint8Array, to = fixture) =>
  to.ask('POST', path, { body, headers: { 'content-type': 'application/octet-stream' } });
const request = (octets: Uint8Array) => post('/v1/requests', octets);
const deliver = (octets: Uint8Array, to = fixture) => post('/v1/receipts', octets, to);
const askBill = (signed: HandCard, from = NOW) =>
  post('/v1/bill', signed.sign('stay', from, 0, { sold: { ...SOLD, sessionHash: toHex(BILL_HASH) } }));

function postJson(path: string, body: object, to = fixture): Promise<PinnedAnswer> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': `a-key-of-this-test-${loads++}` };
  return to.ask('POST', path, { body: Buffer.from(JSON.stringify(body)), headers });
}

function askForLoad(file: string, voucher?: string, to = fixture): Promise<PinnedAnswer> {
  return postJson('/v1/loads', { request: file, ...(voucher !== undefined && { voucher }) }, to);
}

async function makeVoucher(amount = '5.00 USD'): Promise<string> {
  const path = `/v1/operator/vouchers/voucher-${loads++}`;
  const { codes } = readJson(await fixture.askOperator('PUT', path, { amount, count: 1 })) as { codes: string[] };
  return codes[0]!;
}

/** Joins, which must be answered. */
async function joinAs(signed: HandCard, name = 'main', to = NOW + 600): Promise<void> {
  expect((await request(signed.sign('join', NOW, to, sold(name)))).status).toBe(200);
}

/** A session that is sold and waits for its source. */
function session(name: string): object {
  return { name, source: 'memory', format: 'data', rate: 10_000, address: `239.255.9.1:${20_000 + 4 * sessions++}` };
}

beforeAll(async () => {
  const clock = new SimulatedClock(NOW * 1000);
  const free = { content: { price: 'free' } };
  const names = Array.from({ length: MAX_UNCONFIRMED + 1 }, (_, i) => `many-${i}`);
  const services = [
    { number: 7, name: 'Harbour', price: free, sessions: [session('main')] },
    { number: 8, name: 'Cards', price: free, accept: ['card'], sessions: [session('cards')] },
    { number: 9, name: 'Many', price: free, sessions: names.map(session) },
    { number: 10, name: 'Gone', price: free, sessions: [session('gone')] },
  ];
  const openSource = (_name: string, _interface: string, signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('it was stopped')), { once: true });
    });
  fixture = await startHeadend(services, { clock, openSource, config: { loads: true } });
  plain = await startHeadend([], { masters: [] });
  await using accounts = await Accounts.open(join(fixture.directory, 'issuer'));
  for (let serial = 1; serial <= ACCOUNTED; serial++) {
    await accounts.addCard({ moduleClass: 'soft', serial, currency: 840, maximumBalance: 500_000_000n }, NOW);
  }
  const listed = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string; href: string }[] };
  for (const { id, href } of listed.offers) {
    const text = Buffer.from((await fixture.ask('GET', href)).body.subarray(68)).toString();
    const { service } = JSON.parse(text) as { service: number };
    const kept = readJson(await fixture.askOperator('GET', '/v1/operator/services')) as {
      services: { number: number; sessions: { name: string; origin: string }[] }[];
    };
    const { session: origin } = JSON.parse(text) as { session: string };
    const named = kept.services.flatMap((one) => one.sessions).find((one) => one.origin === origin)!;
    offers.set(named.name, { ...SOLD, service, sessionHash: id });
  }
}, 60_000);

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await plain[Symbol.asyncDispose]();
});

/** How each problem is brought about: one way for each route that answers it so. */
const CASES: Readonly<Record<ProblemCode, Readonly<Record<string, () => Promise<PinnedAnswer>>>>> = {
  malformed: {
    'a request of zeros': () => request(new Uint8Array(80)),
    'half a receipt': () => deliver(new Uint8Array(56)),
    'no file of a card': () => askForLoad('hello'),
    'a join where a bill is asked for': () => post('/v1/bill', card(1).sign('join', NOW, NOW + 60, sold())),
  },
  'foreign-issuer': {
    'a request': () => request(forgedCard({ issuer: 1 }).sign('join', NOW, NOW + 60, sold())),
    'a receipt': () => deliver(purse(1, 1).signReceipt()),
    'a load': () => askForLoad(purse(1, 1).askForLoad(), CODE),
  },
  'wrong-signature': {
    'a request': () => request(forgedCard({ master: new Uint8Array(16) }).sign('join', NOW, NOW + 60, sold())),
    'a receipt': async () => {
      const octets = purse(1).signReceipt();
      octets[60]! ^= 1;
      return deliver(octets);
    },
    'the bill of another': () => askBill(forgedCard({ master: new Uint8Array(16) })),
  },
  'unknown-card': {
    'a request': () => request(card(STRANGER).sign('join', NOW, NOW + 60, sold())),
    'a load': async () => askForLoad(purse(STRANGER).askForLoad(), await makeVoucher()),
  },
  'blocked-card': {
    'blocked by the operator': async () => {
      await fixture.askOperator('PUT', `/v1/operator/cards/${formatCardId(card(2).id)}/block`);
      return request(card(2).sign('join', NOW, NOW + 60, sold()));
    },
    'withdrawn by the issuer': async () => {
      await using accounts = await Accounts.open(join(fixture.directory, 'issuer'));
      await accounts.withdraw(card(3).id);
      return await request(card(3).sign('join', NOW, NOW + 60, sold()));
    },
  },
  'class-refused': { 'a soft module': () => request(card(1).sign('join', NOW, NOW + 60, sold('cards'))) },
  replayed: {
    'another request of the same id': async () => {
      const requestId = new Uint8Array(8).fill(9);
      const ask = (to: number) => request(card(1).sign('join', NOW, to, { ...sold(), requestId }));
      expect((await ask(NOW + 60)).status).toBe(200);
      return ask(NOW + 61);
    },
  },
  skewed: {
    'a clock that is behind': () => request(card(1).sign('join', NOW - 31, NOW + 60, sold())),
    'a clock that is ahead': () => request(card(1).sign('leave', NOW + 31, NOW + 40, sold())),
    'a bill': () => askBill(card(1), NOW - 31),
  },
  'wrong-time': { 'slots where none are sold': () => request(card(1).sign('join', NOW, 2, sold())) },
  'over-quota': {
    'requests in a minute': async () => {
      const ask = () => request(card(4).sign('keyRequest', NOW, 0, sold()));
      for (let i = 0; i < QUOTA; i++) await ask();
      return ask();
    },
    'wrong codes in an hour': async () => {
      const ask = () => askForLoad(purse(5).askForLoad(), CODE);
      for (let i = 0; i < MAX_WRONG; i++) await ask();
      return ask();
    },
  },
  'confirm-first': {
    'one key more': async () => {
      for (let i = 0; i < MAX_UNCONFIRMED; i++) await joinAs(card(6), `many-${i}`);
      return request(card(6).sign('join', NOW, NOW + 600, sold(`many-${MAX_UNCONFIRMED}`)));
    },
  },
  'unknown-offer': {
    'a hash of nothing': () =>
      request(card(1).sign('join', NOW, NOW + 60, { sold: { ...SOLD, sessionHash: '00'.repeat(20) } })),
    'a bill under an offer': () => post('/v1/bill', card(1).sign('stay', NOW, 0, sold())),
  },
  'not-joined': { 'a leave': () => request(card(7).sign('leave', NOW, NOW + 60, sold())) },
  'too-late': { 'an end that is over': () => request(card(7).sign('join', NOW - 20, NOW - 10, sold())) },
  'not-later': {
    'the agreed end again': async () => {
      await joinAs(card(8));
      return request(card(8).sign('extend', NOW + 500, NOW + 600, sold()));
    },
  },
  'not-earlier': {
    'a leave at the agreed end': async () => {
      await joinAs(card(9));
      return request(card(9).sign('leave', NOW, NOW + 600, sold()));
    },
  },
  'no-billing': { 'a receipt': () => deliver(purse(1).signReceipt(), plain) },
  'receipts-missing': { 'the second receipt alone': () => deliver(purse(10).signReceipt({ number: 2 })) },
  'receipts-disagree': {
    'one that spent more than the sum': () => deliver(purse(11).signReceipt({ amount: 1n, spent: 2n })),
  },
  'no-loads': {
    'a load': () => askForLoad(purse(1).askForLoad(), undefined, plain),
    'a proof': () => postJson('/v1/loads/proofs', { proof: purse(1).askForLoad() }, plain),
  },
  'nothing-paid': { 'no voucher': () => askForLoad(purse(12).askForLoad()) },
  'wrong-voucher': { 'a code that nobody made': () => askForLoad(purse(12).askForLoad(), CODE) },
  'wrong-currency': {
    'a voucher in another one': async () => askForLoad(purse(12).askForLoad(), await makeVoucher('5.00 EUR')),
  },
  'over-maximum': {
    'more than the card may hold': async () => askForLoad(purse(12).askForLoad(), await makeVoucher('501.00 USD')),
  },
  'receipts-first': {
    'receipts that nobody has': async () =>
      askForLoad(purse(13).askForLoad({ receiptsWritten: 3 }), await makeVoucher()),
  },
  'stale-request': {
    'a request from before the last load': async () => {
      const stale = purse(14).askForLoad();
      const ordered = await askForLoad(stale, await makeVoucher());
      expect(ordered.status).toBe(200);
      const proof = purse(14).prove(parseLoadReply(ordered.body).order!);
      expect((await postJson('/v1/loads/proofs', { proof })).status).toBe(200);
      return askForLoad(stale, await makeVoucher());
    },
  },
  'load-refused': {
    'a card that was withdrawn': async () => {
      await using accounts = await Accounts.open(join(fixture.directory, 'issuer'));
      await accounts.withdraw(card(15).id);
      return await askForLoad(purse(15).askForLoad(), await makeVoucher());
    },
  },
  unavailable: {
    'a session that is not sent any more': async () => {
      await joinAs(card(16), 'gone');
      expect((await fixture.askOperator('DELETE', '/v1/operator/services/10')).status).toBe(204);
      return request(card(16).sign('keyRequest', NOW, 0, sold('gone')));
    },
  },
};

const ALL = Object.entries(CASES).flatMap(([code, ways]) =>
  Object.entries(ways).map(([way, ask]) => ({ code, way, ask })),
);

describe('over HTTPS, a problem has its own code, status and advice', () => {
  test.each(ALL)('$code: $way', async ({ code, ask }) => {
    const answer = await ask();
    const told = readJson(answer);
    expect([told['type'], answer.status, answer.type]).toEqual([
      `urn:tollcast:problem:${code}`,
      isProblemCode(code) ? PROBLEMS[code].status : undefined,
      'application/problem+json',
    ]);
    const { title, advice, status } = PROBLEMS[isProblemCode(code) ? code : 'malformed'];
    expect(told).toMatchObject({ title, status, detail: expect.stringMatching(/^.+; .+\.$/) as string });
    expect(String(told['detail']).startsWith(title)).toBe(true);
    expect(String(told['detail']).endsWith(`; ${advice}.`)).toBe(true);
    // What else a client needs to go on.
    if (code === 'skewed') expect(told['now']).toBe(NOW);
    if (code === 'receipts-missing') expect(told['last']).toBe(0);
  });

  test('no two have one advice, and none of the catalogue is left out', () => {
    const codes = Object.keys(PROBLEMS);
    expect(new Set(ALL.map(({ code }) => code))).toEqual(new Set(codes));
    expect(new Set(Object.values(PROBLEMS).map(({ advice }) => advice)).size).toBe(codes.length);
    expect(new Set(Object.values(PROBLEMS).map(({ title }) => title)).size).toBe(codes.length);
  });
});
