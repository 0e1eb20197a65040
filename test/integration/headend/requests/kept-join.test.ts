import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { deriveCardKey } from '../../../../apdu/decode-module/keys/card-keys.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { TransportError } from '../../../../apdu/errors.ts';
import { toHex } from '../../../../apdu/octets.ts';
import type { SimulatedCard } from '../../../../card-sim/index.ts';
import { KEYS_AHEAD } from '../../../../host/contract/answers/answer.ts';
import type { Offer } from '../../../../host/contract/offer/offer.ts';
import { parseOffer, signOffer, type SignedOffer } from '../../../../host/contract/offer/signed-offer.ts';
import { formatSession } from '../../../../host/contract/session/session-identity.ts';
import { UniqueKeys } from '../../../../host/headend/keys/grants/card-parents.ts';
import { KeyRoot } from '../../../../host/headend/keys/key-root.ts';
import { SessionKeyManager } from '../../../../host/headend/keys/session-key-manager.ts';
import { MemberListStrategy } from '../../../../host/headend/keys/strategies/member-list-strategy.ts';
import type { RequestDeskOptions } from '../../../../host/headend/requests/request-desk.ts';
import { KeptJoin } from '../../../../host/holder/requests/kept-join.ts';
import { Subscription } from '../../../../host/holder/requests/subscription.ts';
import { postToDesk, startSubscribingCard } from '../../../support/cards/subscribing-card.ts';
import { DeskFixture, SOLD, UNIQUE_MASTER } from '../../../support/headend/request-desk-fixture.ts';
import { NOW, SAMPLE_OFFER, SAMPLE_SIGNER } from '../../../support/headend/sample-offer.ts';

let card: SimulatedCard;
let module: DecodeModule;
let fixture: DeskFixture;
let isReachable = true;
/** Lets what is asked of the desk, which writes in a thread of its own, be answered. */
async function settle(): Promise<void> {
  for (let i = 0; i < 40; i++) {
    await sleep(5);
    await fixture.clock.advance(1);
  }
}
const stop = () => new AbortController();

/** @param sale when the offer ends, and the one that follows it. */
async function open(
  changes: Partial<Offer>,
  desk: Partial<RequestDeskOptions> = {},
  { endsAt, next }: { endsAt?: number; next?: SignedOffer } = {},
) {
  const offer = parseOffer(signOffer({ ...SAMPLE_OFFER, ...changes }, SAMPLE_SIGNER));
  const sold = {
    ...SOLD,
    session: formatSession(offer.session),
    sessionHash: toHex(offer.sessionHash),
    charges: {
      terms: [
        { part: 'content', payer: 'user', tariff: { kind: 'duration', price: 5_000_000n }, settlement: 'invoice' },
      ],
      currency: offer.currency!,
    },
    ...(offer.keepAlive !== undefined && { keepAlive: offer.keepAlive }),
  } as const;
  const sales = [
    { ...sold, ...(endsAt !== undefined && { to: endsAt }) },
    ...(next === undefined ? [] : [{ ...sold, sessionHash: toHex(next.sessionHash) }]),
  ];
  fixture = await DeskFixture.open({ sold: sales, mode: 'direct', ...desk });
  const subscription = new Subscription({
    module,
    offer,
    clock: fixture.clock,
    async post(octets) {
      if (!isReachable) throw new TransportError('HTTPS', 'no answer');
      return postToDesk(fixture, octets);
    },
  });
  const unanswered: number[] = [];
  const renew = vi.fn<() => Promise<boolean>>();
  const kept = new KeptJoin({
    subscription,
    offer,
    clock: fixture.clock,
    onUnanswered: (until) => unanswered.push(until),
    renewOffer: renew,
  });
  return { kept, subscription, unanswered, renew };
}

/** What was asked for, in its order. */
const asked = async () => {
  const rows = await fixture.store.selectFrom('requestLog').select(['kind', 'outcome']).orderBy('id').execute();
  return rows.map(({ kind, outcome }) => `${kind}: ${outcome}`);
};

beforeEach(async () => {
  isReachable = true;
  ({ card, module } = await startSubscribingCard());
});

afterEach(async () => {
  await card.close();
  await fixture.close();
});

test('a join is extended before its end, again and again', async () => {
  const { kept } = await open({ joinLength: 600, requestInterval: 60 });
  const end = stop();
  const running = kept.run(end.signal);
  await settle();
  expect(kept.answer).toMatchObject({ outcome: 'joined', from: NOW, to: NOW + 600 });
  await fixture.clock.advance(539_000);
  expect(kept.answer!.to).toBe(NOW + 600);
  await fixture.clock.advance(2000);
  await settle();
  expect(kept.answer).toMatchObject({ outcome: 'extended', to: NOW + 1200 });
  await fixture.clock.advance(600_000);
  await settle();
  expect(kept.answer).toMatchObject({ outcome: 'extended', to: NOW + 1800 });
  end.abort();
  await fixture.clock.advanceUntil(running);
  expect(await asked()).toEqual(['join: joined', 'extend: extended', 'extend: extended']);
});

test('a card that was selected anew is given its keys again', async () => {
  const { kept } = await open({});
  const end = stop();
  // Before the join there is nothing to ask for.
  kept.cardReturned();
  const running = kept.run(end.signal);
  await settle();
  kept.cardReturned();
  await settle();
  end.abort();
  await fixture.clock.advanceUntil(running);
  expect(await asked()).toEqual(['join: joined', 'keyRequest: keys']);
});

test('where segment keys come in answers alone, the next one is asked for before it holds', async () => {
  const root = new KeyRoot(UNIQUE_MASTER);
  const ids = { segment: 0, content: 0 };
  const { service, ceilings } = SAMPLE_OFFER;
  const keys = new SessionKeyManager({
    service,
    tariff: { kind: 'free', price: 0n },
    rating: 0,
    classes: { card: true, soft: true },
    period: 40,
    segment: 120,
    programme: [],
    grace: 5,
    strategy: new MemberListStrategy({
      service,
      root,
      parents: new UniqueKeys((cardId) => deriveCardKey(UNIQUE_MASTER, 'downlink', cardId)),
      ceilings,
      grace: 5,
    }),
    delivery: 'unicast',
    keysAhead: KEYS_AHEAD,
    takeId: (kind) => ++ids[kind],
    deriveSegmentKey: (keyId) => root.deriveSegmentKey(service, keyId),
    segments: [],
    members: [],
    onSegment: () => undefined,
  });
  keys.startStream({ ssrc: 2, mediaTime: NOW });
  const { kept } = await open(
    { joinLength: 3600, requestInterval: 60 },
    { keys: { grant: (grant) => keys.grant(grant), end: () => undefined } },
  );
  const segmentsOf = async () =>
    (await module.listKeys()).filter(({ kind }) => kind === KIND.segment).map(({ keyId }) => keyId);
  const goTo = async (time: number) => {
    await fixture.clock.advance(time * 1000 - fixture.clock.now());
    keys.due(time);
    await settle();
  };
  const end = stop();
  const running = kept.run(end.signal);
  await settle();
  expect(kept.answer).toMatchObject({ outcome: 'joined', keysUntil: NOW + 120 });
  await goTo(NOW + 85);
  expect(await segmentsOf()).toEqual([1]);
  await goTo(NOW + 90);
  await goTo(NOW + 112);
  expect(await segmentsOf()).toContain(2);
  await goTo(NOW + 210);
  await goTo(NOW + 232);
  expect(await segmentsOf()).toContain(3);
  end.abort();
  await fixture.clock.advanceUntil(running);
  // Each segment key that was given has its row.
  const rows = await fixture.store.selectFrom('requestLog').select(['kind', 'segmentId']).orderBy('id').execute();
  expect(rows.map(({ kind, segmentId }) => `${kind} ${segmentId}`)).toEqual([
    'join 1',
    'keyRequest 1',
    'keyRequest 2',
    'keyRequest 2',
    'keyRequest 3',
  ]);
});

test('a head-end that does not answer is asked again; what has ended meanwhile is joined anew', async () => {
  const { kept, unanswered } = await open({ joinLength: 600, requestInterval: 60 });
  const end = stop();
  const running = kept.run(end.signal);
  await settle();
  isReachable = false;
  await fixture.goTo(NOW + 700);
  expect(unanswered[0]).toBe(NOW + 600);
  isReachable = true;
  await fixture.clock.advance(20_000);
  await settle();
  expect(kept.answer).toMatchObject({ outcome: 'joined' });
  expect(kept.answer!.from).toBeGreaterThan(NOW + 700);
  end.abort();
  await fixture.clock.advanceUntil(running);
});

describe('an offer that ends while it is watched', () => {
  const terms = { joinLength: 600, requestInterval: 60 };
  const [END, LATER] = [NOW + 900, NOW + 86_400];

  test('is replaced by another of the same session that costs no more: the join is extended under that', async () => {
    const next = parseOffer(signOffer({ ...SAMPLE_OFFER, ...terms, to: LATER + 1 }, SAMPLE_SIGNER));
    const { kept, subscription, renew } = await open(terms, {}, { endsAt: END, next });
    renew.mockImplementation(async () => {
      subscription.renewOffer(next);
      return true;
    });
    const end = stop();
    const running = kept.run(end.signal);
    await settle();
    await fixture.clock.advance(541_000);
    await settle();
    await fixture.clock.advance(600_000);
    await settle();
    expect(kept.answer).toMatchObject({ outcome: 'extended', to: NOW + 1800 });
    expect(renew).toHaveBeenCalledTimes(1);
    end.abort();
    await fixture.clock.advanceUntil(running);
  });

  test('and has no such successor holds to the agreed end, and not longer', async () => {
    const { kept, renew } = await open(terms, {}, { endsAt: END });
    renew.mockResolvedValue(false);
    let endedAt = 0;
    const running = kept.run(stop().signal).catch((error: unknown) => {
      endedAt = fixture.now;
      return error;
    });
    await settle();
    await fixture.clock.advance(541_000);
    await settle();
    await fixture.clock.advance(600_000);
    await settle();
    expect([kept.answer!.to, endedAt]).toEqual([NOW + 1200, 0]);
    expect(await fixture.clock.advanceUntil(running)).toMatchObject({ problem: { code: 'unknown-offer' } });
    expect(endedAt).toBeGreaterThanOrEqual(NOW + 1200);
  });
});

test('a first join that nobody answers ends it with the reason', async () => {
  const { kept } = await open({});
  isReachable = false;
  await expect(fixture.clock.advanceUntil(kept.run(stop().signal))).rejects.toMatchObject({ code: 'HTTPS' });
});
