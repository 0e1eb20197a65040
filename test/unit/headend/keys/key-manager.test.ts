import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { encodeCardId } from '../../../../apdu/decode-module/card-id.ts';
import { decodeCeilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import { decodeContentTerms } from '../../../../apdu/decode-module/keys/content-terms.ts';
import { parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { KeyManager, type KeyManagerOptions } from '../../../../host/headend/keys/key-manager.ts';
import { parsePrice } from '../../../../host/money/price.ts';
import { unwrapByHand } from '../../../support/cards/keys-by-hand.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';

const START = 1_700_000_000;
const CARDS = [1, 2].map((serial) => ({
  cardId: encodeCardId({ issuer: 1, moduleClass: 'card', serial }),
  downlinkKey: randomBytes(16),
}));

const OPTIONS: KeyManagerOptions = {
  service: 7,
  stream: { ssrc: 0x1234, mediaTime: START },
  price: parsePrice('2.00 USD/h'),
  groupLimits: { groupOctets: 131_600, groupDuration: 3250 },
  granted: 86_400,
  period: 300,
  cards: CARDS,
};

/** Numbers as a store gives them out that has given some before. */
const NUMBERS = { take: async (cards: readonly Uint8Array[], now: number) => cards.map((_card, i) => now + 10 * i) };

test('grants every card the service key under its downlink key and number, with the ceilings of the price', async () => {
  const keys = await KeyManager.start(OPTIONS, NUMBERS);
  const { personal } = keys.due(START);
  const grants = personal.map((octets, i) => unwrapByHand(Buffer.from(octets), CARDS[i]!.downlinkKey));
  expect(grants.map(({ parentId, number }) => [parentId, number])).toEqual([
    [1, START],
    [2, START + 10],
  ]);
  expect(grants[1]!.key).toEqual(grants[0]!.key);
  expect([grants[0]!.from, grants[0]!.to]).toEqual([START, START + 86_400]);
  expect(decodeCeilings(grants[0]!.body)).toEqual({
    ...OPTIONS.groupLimits,
    perMegabyte: 0n,
    perHour: 2_000_000n,
    flat: 0n,
    quantum: 5_556n,
    currency: 840,
  });
});

test('the price, the rating and the accepted class are in the content message, and its key seals', async () => {
  const keys = await KeyManager.start({ ...OPTIONS, accept: 'card', rating: 16 }, NUMBERS);
  const [segment, content] = keys.due(START).shared.map(parseKeyMessage);
  expect([segment!.kind, content!.kind]).toEqual([KIND.segment, KIND.content]);
  expect(keys.at(START)).toMatchObject({ id: content!.keyId, segmentId: segment!.keyId });
  expect(decodeContentTerms(content!.body)).toMatchObject({
    tariff: { kind: 'duration', price: 2_000_000n },
    rating: 16,
    classes: { card: true, soft: false },
    ssrcs: [0x1234],
  });
});

test('a channel outlasts its purchases: it has keys for years, and repeats no grant that is over', async () => {
  const keys = await KeyManager.start(OPTIONS, NUMBERS);
  const end = START + OPTIONS.granted;
  expect(keys.due(end - 1).personal).toHaveLength(CARDS.length);
  expect(keys.due(end).personal).toEqual([]);
  const years = end + 3 * 366 * 86_400;
  expect(keys.at(years).to).toBeGreaterThan(years);
  expect(keys.at(years).to).toBeLessThanOrEqual(years + OPTIONS.period);
});

test('a message that is due is the same object every time', async () => {
  const keys = await KeyManager.start(OPTIONS, NUMBERS);
  const first = keys.due(START);
  const second = keys.due(START + 1);
  for (const kind of ['personal', 'shared'] as const) {
    for (const [i, message] of first[kind].entries()) expect(second[kind][i]).toBe(message);
  }
});

test('it closes only after the second of its start, whose ids the next run must not use', async () => {
  const clock = new SimulatedClock(START * 1000 + 300);
  const keys = await KeyManager.start(OPTIONS, NUMBERS);
  await clock.advanceUntil(keys.close(clock));
  expect(clock.now()).toBe((START + 1) * 1000);
  await clock.advanceUntil(keys.close(clock));
  expect(clock.now()).toBe((START + 1) * 1000);
});
