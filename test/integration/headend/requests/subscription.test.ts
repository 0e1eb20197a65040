import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { TransportError } from '../../../../apdu/errors.ts';
import { toHex } from '../../../../apdu/octets.ts';
import type { SimulatedCard } from '../../../../card-sim/index.ts';
import type { Clock } from '../../../../host/clock/clock.ts';
import { parseOffer, signOffer } from '../../../../host/contract/offer/signed-offer.ts';
import { formatSession } from '../../../../host/contract/session/session-identity.ts';
import { sealSegment } from '../../../../host/headend/keys/schedules/segment-key.ts';
import { type PostMessage, Subscription } from '../../../../host/holder/requests/subscription.ts';
import { postToDesk, startSubscribingCard } from '../../../support/cards/subscribing-card.ts';
import { DeskFixture, HandKeys, SOLD } from '../../../support/headend/request-desk-fixture.ts';
import { NOW, SAMPLE_OFFER, SAMPLE_SIGNER } from '../../../support/headend/sample-offer.ts';

const OFFER = parseOffer(signOffer(SAMPLE_OFFER, SAMPLE_SIGNER));
const HOURLY = {
  ...SOLD,
  session: formatSession(SAMPLE_OFFER.session),
  sessionHash: toHex(OFFER.sessionHash),
  charges: {
    terms: [{ part: 'content', payer: 'user', tariff: { kind: 'duration', price: 5_000_000n }, settlement: 'invoice' }],
    currency: SAMPLE_OFFER.currency!,
  },
} as const;
let card: SimulatedCard;
let module: DecodeModule;
let fixture: DeskFixture;

beforeEach(async () => {
  fixture = await DeskFixture.open({ sold: [HOURLY], mode: 'direct' });
  ({ card, module } = await startSubscribingCard());
});

afterEach(async () => {
  await card.close();
  await fixture.close();
});

/** The desk as HTTP shows it. */
const post: PostMessage = (octets) => postToDesk(fixture, octets);

const subscribe = (options: Partial<ConstructorParameters<typeof Subscription>[0]> = {}) =>
  new Subscription({ module, offer: OFFER, post, clock: fixture.clock, ...options });

describe('a card and a head-end', () => {
  test('join, extend, ask for keys, stay and leave; every key is loaded and confirmed', async () => {
    const subscription = subscribe();
    const joined = await subscription.join(NOW + 1800);
    expect(joined).toMatchObject({ outcome: 'joined', from: NOW, to: NOW + 1800, charge: { amount: 2_500_000n } });
    expect(await module.listKeys()).toMatchObject([{ kind: KIND.service, service: 7, from: NOW, to: NOW + 1800 }]);
    const isConfirmed = () => fixture.store.selectFrom('member').select(['state', 'isConfirmed']).execute();
    expect(await isConfirmed()).toEqual([{ state: 'joined', isConfirmed: true }]);
    await fixture.goTo(NOW + 1700);
    expect(await subscription.extend(joined.to, NOW + 3600)).toMatchObject({ outcome: 'extended', to: NOW + 3600 });
    expect(await module.listKeys()).toMatchObject([{ to: NOW + 3600 }]);
    expect(await subscription.requestKeys()).toMatchObject({ outcome: 'keys' });
    expect(await subscription.stay()).toMatchObject({ outcome: 'stayed' });
    expect(await isConfirmed()).toEqual([{ state: 'joined', isConfirmed: true }]);
    await fixture.goTo(NOW + 1800);
    expect(await subscription.leave()).toMatchObject({
      outcome: 'left',
      charge: { seconds: 1800, amount: 2_500_000n },
    });
    expect(await fixture.bills()).toMatchObject([{ amount: 2_500_000n, seconds: 1800 }]);
  });

  test('all keys of an answer are in the card before a confirm is sent: no picture waits for it', async () => {
    /** Hands out a segment key under the service key, too. */
    class SegmentedKeys extends HandKeys {
      override grant(asked: Parameters<HandKeys['grant']>[0]): ReturnType<HandKeys['grant']> {
        const granted = super.grant(asked);
        const times = { from: NOW, to: NOW + 3600 };
        const segment = { keyId: 5, segment: 5, ...times, key: new Uint8Array(16).fill(9) };
        const parent = { kind: KIND.service, id: 1, key: new Uint8Array(16).fill(1) } as const;
        const wrapped = sealSegment(HOURLY.service, segment, 0, parent).octets;
        return { ...granted, messages: [...granted.messages, wrapped] };
      }
    }
    await fixture.close();
    fixture = await DeskFixture.open({ sold: [HOURLY], mode: 'direct', keys: new SegmentedKeys() });
    const held: number[][] = [];
    const watchPost: PostMessage = async (octets) => {
      held.push((await module.listKeys()).map(({ kind }) => kind));
      return postToDesk(fixture, octets);
    };
    await module.openSession(HOURLY.service);
    await subscribe({ post: watchPost }).join(NOW + 1800);
    expect(held).toEqual([[], [KIND.service, KIND.segment]]);
  });

  test("the card's own leave record ends the join", async () => {
    const subscription = subscribe();
    await subscription.join(NOW + 1800);
    const [key] = await module.listKeys();
    await fixture.goTo(NOW + 600);
    const record = await module.leave(key!.service, key!.keyId, NOW + 600);
    expect(await subscription.reportLeave(record)).toMatchObject({ outcome: 'left', to: NOW + 600 });
    expect(fixture.listed(HOURLY.session)).toEqual([]);
    // A new join brings the key back, which no older message does.
    await subscription.join(NOW + 1800);
    expect(await module.listKeys()).toMatchObject([{ from: NOW + 600, to: NOW + 1800 }]);
  });
});

test('an answer that is lost is asked for again with the same octets', async () => {
  const sent: string[] = [];
  const subscription = subscribe({
    async post(octets) {
      sent.push(toHex(octets));
      const reply = await post(octets);
      if (sent.length < 3) throw new TransportError('TCP_UNREACHABLE', 'the answer is lost');
      return reply;
    },
  });
  const joining = subscription.join(NOW + 1800);
  expect(await fixture.clock.advanceUntil(joining)).toMatchObject({ outcome: 'joined' });
  expect(new Set(sent.slice(0, 3)).size).toBe(1);
  expect(fixture.keys.granted).toHaveLength(1);
});

test('a clock that is wrong is set by what the head-end tells', async () => {
  const { clock } = fixture;
  const behind: Clock = {
    now: () => clock.now() - 3_600_000,
    monotonic: () => clock.monotonic(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  };
  const subscription = subscribe({ clock: behind });
  expect(await subscription.join(NOW + 1800)).toMatchObject({ from: NOW, to: NOW + 1800 });
  expect(subscription.now).toBe(NOW);
});

test('a refusal is thrown with its code and advice', async () => {
  await expect(subscribe().stay()).rejects.toMatchObject({
    code: 'REQUEST_REFUSED',
    problem: { code: 'not-joined' },
    message: expect.stringContaining('join first') as string,
  });
});

test('a purchase that the accepted offer does not cover is not loaded, and so not confirmed', async () => {
  // The viewer accepted less than the head-end sells under this hash.
  const cheaper = { ...OFFER, ceilings: { ...OFFER.ceilings, quantum: 0n } };
  const subscription = subscribe({ offer: cheaper });
  await expect(subscription.join(NOW + 1800)).rejects.toMatchObject({ code: 'ABOVE_OFFER' });
  expect(await module.listKeys()).toEqual([]);
  await fixture.goTo(NOW + 30);
  expect(fixture.listed(HOURLY.session)).toEqual([]);
});
