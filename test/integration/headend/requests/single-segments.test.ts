import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { isPersonal, KIND } from '../../../../apdu/decode-module/kinds.ts';
import { ModuleError } from '../../../../apdu/decode-module/module-status.ts';
import { sealCardPart } from '../../../../apdu/decode-module/packets/card-part.ts';
import { fromHex, toHex } from '../../../../apdu/octets.ts';
import { type SimulatedCard, startCard } from '../../../../card-sim/index.ts';
import { KEYS_AHEAD } from '../../../../host/contract/answers/answer.ts';
import { parseOffer, signOffer } from '../../../../host/contract/offer/signed-offer.ts';
import { formatSession } from '../../../../host/contract/session/session-identity.ts';
import { UniqueKeys } from '../../../../host/headend/keys/grants/card-parents.ts';
import { sealGrant } from '../../../../host/headend/keys/grants/grant.ts';
import { KeyRoot } from '../../../../host/headend/keys/key-root.ts';
import { SessionKeyManager } from '../../../../host/headend/keys/session-key-manager.ts';
import { SingleSegmentStrategy } from '../../../../host/headend/keys/strategies/single-segment-strategy.ts';
import { KeptJoin } from '../../../../host/holder/requests/kept-join.ts';
import { Subscription } from '../../../../host/holder/requests/subscription.ts';
import { postToDesk } from '../../../support/cards/subscribing-card.ts';
import { DeskFixture, ISSUER, SOLD } from '../../../support/headend/request-desk-fixture.ts';
import { NOW, SAMPLE_OFFER, SAMPLE_SIGNER } from '../../../support/headend/sample-offer.ts';
import { deriveTestCardKey, MASTERS, personalise } from '../../../support/streams/test-service.ts';

const SEGMENT = 60;
const SSRC = 2;
/** Micro-units for each segment. */
const PRICE = 1_500_000n;
const { service } = SAMPLE_OFFER;
const CEILINGS = { ...SAMPLE_OFFER.ceilings, flat: PRICE, quantum: PRICE };
/** Places of purchases on a card. */
const PLACES = 16;
/** Seconds. */
const DAY = 86_400;

let card: SimulatedCard;
let viewer: Uint8Array;
let module: DecodeModule;
let fixture: DeskFixture;
let keys: SessionKeyManager;
let seen: Set<string>;
let group: number;
/** Requests that are not answered yet. */
let asked: number;
let end: AbortController;

beforeEach(async () => {
  card = await startCard({ kind: 'soft' });
  viewer = await personalise(card, 1, 100_000_000n);
  module = new DecodeModule(await card.channel());
  await module.select();
  seen = new Set();
  group = 0;
  asked = 0;
  end = new AbortController();
  const root = new KeyRoot(MASTERS.unique);
  const ids = { segment: 0, content: 0 };
  keys = new SessionKeyManager({
    service,
    tariff: { kind: 'flat', price: PRICE },
    rating: 0,
    classes: { card: true, soft: true },
    period: 30,
    segment: SEGMENT,
    programme: [],
    grace: 0,
    strategy: new SingleSegmentStrategy({
      service,
      parents: new UniqueKeys((id) => deriveTestCardKey('downlink', id)),
      ceilings: CEILINGS,
    }),
    delivery: 'unicast',
    keysAhead: KEYS_AHEAD,
    takeId: (kind) => ++ids[kind],
    deriveSegmentKey: (keyId) => root.deriveSegmentKey(service, keyId),
    segments: [],
    members: [],
    onSegment: () => undefined,
  });
  keys.startStream({ ssrc: SSRC, mediaTime: NOW });
});

afterEach(async () => {
  end.abort();
  await card.close();
  await fixture.close();
});

/** Another service has purchases on the card, and leaves this many places. @param to when they end. */
async function leavePlaces(free: number, to: number): Promise<void> {
  for (let i = 1; i <= PLACES - free; i++) {
    const purchase = { service: 8, keyId: i, key: new Uint8Array(16), from: to - 60, to, number: i };
    const downlinkKey = deriveTestCardKey('downlink', viewer);
    await module.loadKey(sealGrant({ ...purchase, ceilings: CEILINGS }, viewer, downlinkKey).octets);
  }
}

/** Purchases that are on the card. */
async function purchasesOf(of: number) {
  return (await module.listKeys()).filter((key) => key.service === of && isPersonal(key.parentKind));
}

/** A desk that sells the session, and a client that keeps it joined. @param flat what the offer allows a segment. */
async function open(flat: bigint) {
  const offer = parseOffer(
    signOffer(
      {
        ...SAMPLE_OFFER,
        components: [{ part: 'content', payer: 'user', basis: 'programme', settlement: 'purse', price: flat }],
        ceilings: { ...CEILINGS, flat },
        joinLength: 3600,
        requestInterval: 60,
      },
      SAMPLE_SIGNER,
    ),
  );
  const sold = { ...SOLD, session: formatSession(offer.session), sessionHash: toHex(offer.sessionHash) };
  fixture = await DeskFixture.open({
    sold: [sold],
    masters: new Map([[ISSUER, MASTERS.uplink]]),
    keys: { grant: (grant) => keys.grant(grant), end: ({ cardId, to }) => keys.end(fromHex(cardId), to) },
  });
  const given: Uint8Array[] = [];
  const subscription = new Subscription({
    module,
    offer,
    clock: fixture.clock,
    async post(octets) {
      asked += 1;
      return postToDesk(fixture, octets).finally(() => (asked -= 1));
    },
    async load(message) {
      const confirm = await module.loadKey(message);
      given.push(message);
      return confirm;
    },
  });
  const short: number[] = [];
  const kept = new KeptJoin({
    subscription,
    offer,
    clock: fixture.clock,
    onUnanswered: () => undefined,
    onNoRoom: (from) => short.push(from - NOW),
  });
  return { kept, subscription, given, short };
}

/** Lets what is asked of the desk, which writes in a thread of its own, be answered. */
async function settle(): Promise<void> {
  for (let quiet = 0; quiet < 3; quiet = asked > 0 ? 0 : quiet + 1) {
    await sleep(2);
    await fixture.clock.advance(1);
  }
}

/** Loads what is on the key port, once. */
async function listen(time: number): Promise<void> {
  const { personal, shared } = keys.due(time);
  for (const message of [...personal, ...shared]) {
    expect(message[0]).toBe(KIND.content);
    if (!seen.has(toHex(message)) && (await isTaken(module.loadKey(message)))) seen.add(toHex(message));
  }
}

/** Whether the card opens a group of a media time. */
function opens(mediaTime: number): Promise<boolean> {
  const { id, ciphers } = keys.at(mediaTime);
  const header = { mode: 'sealed', spanBlocks: 1, packets: 1, octets: 1000, duration: 0 } as const;
  const where = { mediaTime, contentKeyId: id, index: ++group, ssrc: SSRC, group };
  return isTaken(module.decode(sealCardPart({ ...header, ...where }, new Uint8Array(16), ciphers)));
}

async function isTaken(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (!(error instanceof ModuleError)) throw error;
    return false;
  }
}

/** Lets time pass second by second. @returns a letter for each: whether the card opened it. */
async function play(from: number, to: number): Promise<string> {
  let line = '';
  for (let time = from; time < to; time++) {
    await fixture.clock.advance((NOW + time) * 1000 - fixture.clock.now());
    if (time % 5 === 0) await settle();
    await listen(NOW + time);
    line += (await opens(NOW + time)) ? 'o' : '-';
  }
  return line;
}

test('segments are bought one by one: each is paid once, and those that ended make room for the next', async () => {
  // They have ended, too, but not long ago, and that is not for the head-end of this service to say.
  await leavePlaces(2, NOW - 600);
  const { kept, subscription, given, short } = await open(PRICE);
  const running = kept.run(end.signal);
  await settle();
  expect(kept.answer).toMatchObject({ outcome: 'joined', keysUntil: NOW + SEGMENT });
  await module.openSession(service);
  const leavesAt = 5 * SEGMENT - KEYS_AHEAD - 5;
  expect(await play(0, leavesAt)).toBe('o'.repeat(leavesAt));
  end.abort();
  await fixture.clock.advanceUntil(running);
  await fixture.clock.advanceUntil(subscription.leave());
  await expect(fixture.clock.advanceUntil(subscription.requestKeys())).rejects.toMatchObject({
    problem: { code: 'not-joined' },
  });
  // Its card keeps to the end of what it has; nobody gives it the next one.
  const after = await play(leavesAt, 6 * SEGMENT);
  expect(after).toBe('o'.repeat(5 * SEGMENT - leavesAt) + '-'.repeat(SEGMENT));
  expect(await module.closeSession()).toMatchObject({ amount: 5n * PRICE });

  const purchases = given.map(parseKeyMessage).filter(({ kind }) => kind !== KIND.content);
  expect(new Set(purchases.map(({ kind, parentKind }) => `${kind} ${parentKind}`))).toEqual(
    new Set([`${KIND.segment} ${KIND.unique}`]),
  );
  // One that is asked for again, as its answer is still on its way, is given again; it is paid once, as seen above.
  const bought = purchases.filter(({ keyId }, i) => keyId !== purchases[i - 1]?.keyId);
  expect(bought.map(({ keyId, from, to }) => [keyId, from, to])).toEqual(
    [1, 2, 3, 4, 5].map((id) => [id, NOW + (id - 1) * SEGMENT, NOW + id * SEGMENT]),
  );
  // The numbers of the card are one row, whatever is bought.
  expect(purchases.map(({ number }) => number - purchases[0]!.number)).toEqual(purchases.map((_, i) => i));
  const rows = await fixture.store.selectFrom('requestLog').select(['kind', 'segmentId']).orderBy('id').execute();
  expect(rows.filter(({ segmentId }) => segmentId !== null).map(({ segmentId }) => segmentId)).toEqual(
    purchases.map(({ keyId }) => keyId),
  );
  expect((await purchasesOf(service)).map(({ keyId }) => keyId)).toEqual([5, 4]);
  expect(await purchasesOf(8)).toHaveLength(PLACES - 2);
  expect(short).toEqual([]);
});

test('with one place on the card each segment plays once the one before it has ended, and the viewer is told', async () => {
  await leavePlaces(1, NOW + 3600);
  const { kept, short } = await open(PRICE);
  const running = kept.run(end.signal);
  await settle();
  await module.openSession(service);
  const line = await play(0, 3 * SEGMENT);
  expect(line).toMatch(/^o{60}-{5,16}o{44,55}-{5,16}o{44,55}$/);
  expect(short).toEqual([SEGMENT, 2 * SEGMENT, 3 * SEGMENT]);
  end.abort();
  await fixture.clock.advanceUntil(running);
  // What was bought is not lost, nor paid twice.
  expect(await module.closeSession()).toMatchObject({ amount: 3n * PRICE });
  expect(await purchasesOf(8)).toHaveLength(PLACES - 1);
});

test('a card that has no room at all is told to its holder, and the join is taken back', async () => {
  await leavePlaces(0, NOW + 3600);
  const { kept, subscription } = await open(PRICE);
  await expect(fixture.clock.advanceUntil(kept.run(end.signal))).rejects.toMatchObject({
    code: 'NO_ROOM',
    message: expect.stringMatching(/no room.*tollcast card leave/) as string,
  });
  await expect(fixture.clock.advanceUntil(subscription.requestKeys())).rejects.toMatchObject({
    problem: { code: 'not-joined' },
  });
  expect(await purchasesOf(8)).toHaveLength(PLACES);
});

test('what ended on the card a day ago makes room, of whatever service', async () => {
  await leavePlaces(0, NOW - DAY - 1);
  const { kept } = await open(PRICE);
  const running = kept.run(end.signal);
  await settle();
  await module.openSession(service);
  expect(await play(0, 2 * SEGMENT)).toBe('o'.repeat(2 * SEGMENT));
  end.abort();
  await fixture.clock.advanceUntil(running);
  // No more than was needed.
  expect((await purchasesOf(8)).length).toBeGreaterThanOrEqual(PLACES - 3);
});

test('a segment that is dearer than the offer says is not loaded', async () => {
  const { kept, given } = await open(PRICE - 1n);
  await expect(fixture.clock.advanceUntil(kept.run(end.signal))).rejects.toMatchObject({
    code: 'ABOVE_OFFER',
  });
  expect(given).toEqual([]);
});
