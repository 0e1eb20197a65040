import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeCardId } from '../../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { separate } from '../../../../apdu/decode-module/keys/combined-section.ts';
import { parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { ModuleError } from '../../../../apdu/decode-module/module-status.ts';
import { sealCardPart } from '../../../../apdu/decode-module/packets/card-part.ts';
import type { RequestKind } from '../../../../apdu/decode-module/requests/signed-request.ts';
import { fromHex, toHex } from '../../../../apdu/octets.ts';
import { type SimulatedCard, startCard } from '../../../../card-sim/index.ts';
import { KeyLoader } from '../../../../host/bridge/keys/key-loader.ts';
import { KEYS_AHEAD } from '../../../../host/contract/answers/answer.ts';
import type { Answer } from '../../../../host/contract/answers/answer.ts';
import { UniqueKeys } from '../../../../host/headend/keys/grants/card-parents.ts';
import { KeyRoot } from '../../../../host/headend/keys/key-root.ts';
import { SessionKeyManager } from '../../../../host/headend/keys/session-key-manager.ts';
import { MemberListStrategy } from '../../../../host/headend/keys/strategies/member-list-strategy.ts';
import { readConnections } from '../../../support/headend/billing/logged-connections.ts';
import { answerOf, DeskFixture, ISSUER, SOLD } from '../../../support/headend/request-desk-fixture.ts';
import { NOW } from '../../../support/headend/sample-offer.ts';
import { deriveTestCardKey, MASTERS, personalise } from '../../../support/streams/test-service.ts';

/**
 * Keys that are given to those who ask, as one story on one head-end with real cards: the list of requesters, a first
 * key for each, a second key for all under the first ones, a third key for those who stay. Media time is the clock's.
 */
const SSRC = 0x2000;
const MINUTE = 60;
const HOUR = 3600;
const GRACE = 0;
/** Seconds that a key travels before it holds. */
const LEAD = 2;
const KEPT_ALIVE = { ...SOLD, keepAlive: 5 * MINUTE };

/** A card, and a host that hands it all that it gets. */
class Client {
  readonly cardId: Uint8Array;
  readonly hex: string;
  readonly #card: SimulatedCard;
  readonly #module: DecodeModule;
  readonly #loader = new KeyLoader({ onDrop: () => undefined });

  static async start(serial: number): Promise<Client> {
    const card = await startCard({ kind: 'soft' });
    const cardId = await personalise(card, serial, 0n);
    const module = new DecodeModule(await card.channel());
    await module.select();
    await module.openSession(SOLD.service);
    return new Client(card, cardId, module);
  }

  private constructor(card: SimulatedCard, cardId: Uint8Array, module: DecodeModule) {
    this.#card = card;
    this.cardId = cardId;
    this.hex = toHex(cardId);
    this.#module = module;
    this.#loader.reset(decodeCardId(cardId).serial);
  }

  close = () => this.#card.close();

  /** Asks, and loads and confirms what it is given. */
  async ask(kind: RequestKind, to: number, { confirms = true } = {}): Promise<Answer> {
    const sessionHash = fromHex(SOLD.sessionHash);
    const request = { service: SOLD.service, from: fixture.now, to, requestId: randomBytes(8), sessionHash };
    const answer = answerOf(await fixture.desk.answer(await this.#module.signRequest(kind, request)));
    for (const message of answer.messages) {
      const confirm = await this.#module.loadKey(message);
      if (confirm !== undefined && confirms) answerOf(await fixture.desk.answer(confirm));
    }
    this.#loader.reset(decodeCardId(this.cardId).serial, await this.#module.listKeys());
    return answer;
  }

  /** Takes what is multicast, as a bridge does. */
  async hear(messages: readonly Uint8Array[]): Promise<void> {
    const now = fixture.clock.now();
    for (const message of messages) this.#loader.add(message, now);
    for (let next = this.#loader.next(); next !== undefined; next = this.#loader.next()) {
      await this.#loader.load(this.#module, next, now);
    }
  }

  opens(part: Uint8Array): Promise<boolean> {
    return isAccepted(this.#module.decode(part));
  }
}

async function isAccepted(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof ModuleError) return false;
    throw error;
  }
}

let fixture: DeskFixture;
let keys: SessionKeyManager;
let memberA: Client;
let memberB: Client;
let memberC: Client;
let outsider: Client;
let group = 0;

beforeAll(async () => {
  const root = new KeyRoot(randomBytes(16));
  const ids = { segment: 0, content: 0 };
  const ceilings = { perMegabyte: 0n, perHour: 0n, flat: 0n, groupOctets: 5000, groupDuration: 2000, quantum: 1n };
  keys = new SessionKeyManager({
    service: SOLD.service,
    tariff: { kind: 'free', price: 0n },
    rating: 0,
    classes: { card: true, soft: true },
    period: 10 * MINUTE,
    segment: 24 * HOUR,
    programme: [],
    grace: GRACE,
    delivery: 'multicast',
    keysAhead: KEYS_AHEAD,
    strategy: new MemberListStrategy({
      service: SOLD.service,
      root,
      parents: new UniqueKeys((cardId) => deriveTestCardKey('downlink', cardId)),
      ceilings,
      grace: GRACE,
    }),
    takeId: (kind) => ++ids[kind],
    deriveSegmentKey: (keyId) => root.deriveSegmentKey(SOLD.service, keyId),
    segments: [],
    members: [],
    onSegment: () => undefined,
  });
  fixture = await DeskFixture.open({
    sold: [KEPT_ALIVE],
    mode: 'direct',
    masters: new Map([[ISSUER, MASTERS.uplink]]),
    keys: {
      grant: (grant) => keys.grant(grant),
      end: ({ cardId, to }) => keys.end(fromHex(cardId), to),
    },
  });
  keys.startStream({ ssrc: SSRC, mediaTime: NOW });
  [memberA, memberB, memberC, outsider] = (await Promise.all([1, 2, 3, 4].map((serial) => Client.start(serial)))) as [
    Client,
    Client,
    Client,
    Client,
  ];
});

afterAll(async () => {
  await Promise.all([memberA, memberB, memberC, outsider].map((client) => client.close()));
  await fixture.close();
});

/** What is multicast now, taken apart into single keys. */
function onAir(): Uint8Array[] {
  const { personal, shared } = keys.due(fixture.now);
  return [...personal, ...shared].flatMap((octets) =>
    octets[0] === KIND.combinedSection ? separate(octets) : [octets],
  );
}

/** The second keys that are multicast: for each, under whose first keys it goes. */
function secondKeys(): Map<number, number[]> {
  const byKey = new Map<number, number[]>();
  for (const message of onAir().map(parseKeyMessage)) {
    if (message.kind !== KIND.segment) continue;
    expect(message.parentKind).toBe(KIND.service);
    byKey.set(message.keyId, [...(byKey.get(message.keyId) ?? []), message.parentId]);
  }
  return byKey;
}

/** Seals one group and hands it, with all that is multicast, to everybody. @returns who opened it, by their initials. */
async function play(): Promise<string> {
  const messages = onAir();
  const { id, ciphers } = keys.at(fixture.now);
  group += 1;
  const one = { mode: 'sealed', spanBlocks: 1, packets: 1, octets: 1000, duration: 0 } as const;
  const header = { ...one, mediaTime: fixture.now, contentKeyId: id, index: group, ssrc: SSRC, group };
  const part = sealCardPart(header, new Uint8Array(16), ciphers);
  let opened = '';
  for (const [initial, client] of Object.entries({ a: memberA, b: memberB, c: memberC, o: outsider })) {
    await client.hear(messages);
    if (await client.opens(part)) opened += initial;
  }
  return opened;
}

const logOf = ({ hex }: Client) =>
  fixture.store.selectFrom('requestLog').selectAll().where('cardId', '=', hex).orderBy('id').execute();

test('a client that nobody knows asks: the request is logged when its keys are there', async () => {
  expect(await fixture.store.selectFrom('cardNumber').selectAll().execute()).toEqual([]);
  expect(await play()).toBe('');
  const joined = await memberA.ask('join', NOW + HOUR);
  expect(await logOf(memberA)).toMatchObject([
    { cardId: memberA.hex, service: SOLD.service, session: SOLD.session, at: NOW, segmentId: 1, outcome: 'joined' },
  ]);
  expect(joined.messages.length).toBeGreaterThan(0);
});

test('its first key comes to it alone, under its unique key', async () => {
  const joined = await memberB.ask('join', NOW + HOUR);
  const [first] = joined.messages.map((octets) => parseKeyMessage(octets));
  expect(first).toMatchObject({ kind: KIND.service, parentKind: KIND.unique, from: NOW, to: NOW + HOUR });
  // Another card does not take it.
  const messages = joined.messages.filter((octets) => parseKeyMessage(octets).kind === KIND.service);
  await outsider.hear(messages);
  expect(await play()).toBe('ab');
});

test('the second key is multicast to all requesters, once under the first key of each', async () => {
  await memberC.ask('join', NOW + HOUR);
  const second = [...secondKeys().values()];
  expect(second).toHaveLength(1);
  expect(new Set(second[0])).toHaveProperty('size', 3);
  expect(second[0]).toHaveLength(3);
  expect(await play()).toBe('abc');
});

test('the same keys are given again on a key request', async () => {
  const asked = await memberA.ask('keyRequest', 0);
  expect(asked).toMatchObject({ outcome: 'keys', to: NOW + HOUR });
  expect((await logOf(memberA)).at(-1)).toMatchObject({ kind: 'keyRequest', outcome: 'keys', segmentId: 1 });
  expect(await play()).toBe('abc');
});

test('a requester that does not confirm in time is off the list, and the next second key is not for it', async () => {
  await fixture.goTo(NOW + MINUTE);
  await outsider.ask('join', NOW + HOUR, { confirms: false });
  expect(await play()).toBe('abco');
  await fixture.goTo(NOW + MINUTE + SOLD.confirmTimeout);
  expect(fixture.listed()).toEqual([memberA.hex, memberB.hex, memberC.hex]);
  await play();
  await fixture.goTo(fixture.now + LEAD);
  expect(await play()).toBe('abc');
  expect([...secondKeys().values()].at(-1)).toHaveLength(3);
});

test('one that leaves is off the list; that billing stops is logged at once', async () => {
  await fixture.goTo(NOW + 3 * MINUTE);
  const left = await memberB.ask('leave', fixture.now);
  expect(left).toMatchObject({ outcome: 'left', to: fixture.now, messages: [], charge: { seconds: 3 * MINUTE } });
  expect((await logOf(memberB)).at(-1)).toMatchObject({ kind: 'leave', at: fixture.now, timeTo: fixture.now });
  expect(fixture.listed()).toEqual([memberA.hex, memberC.hex]);
});

test('the others get a third key, and go on without a gap', async () => {
  const before = keys.at(fixture.now).id;
  for (let i = 0; i < LEAD; i++) {
    expect(await play()).toMatch(/^ab?c$/);
    await fixture.goTo(fixture.now + 1);
  }
  expect(await play()).toBe('ac');
  expect(keys.at(fixture.now).id).not.toBe(before);
  expect([...secondKeys().values()].at(-1)).toHaveLength(2);
  // It stays so, whatever comes later.
  for (let i = 0; i < 20; i++) {
    await fixture.goTo(fixture.now + 1);
    expect(await play()).toBe('ac');
  }
});

test('members say that they are still there, and a silent one is dropped from the list', async () => {
  await fixture.goTo(NOW + 4 * MINUTE);
  await memberA.ask('stay', 0);
  await fixture.goTo(NOW + 6 * MINUTE);
  expect(fixture.listed()).toEqual([memberA.hex]);
  expect((await logOf(memberC)).at(-1)).toMatchObject({ kind: 'silence', outcome: 'ended' });
  await play();
  await fixture.goTo(fixture.now + LEAD);
  expect(await play()).toBe('a');
});

test('one that was dropped asks again, and opens everything from then on', async () => {
  await memberC.ask('join', NOW + HOUR);
  expect(await play()).toBe('ac');
});

test('a stolen card is evicted by one call, and opens nothing any more', async () => {
  expect(await fixture.desk.evict(memberC.cardId)).toBe(1);
  await play();
  await fixture.goTo(fixture.now + LEAD);
  expect(await play()).toBe('a');
});

test('the service is billed from the log alone, to the second, as from the charging entries', async () => {
  const total = (client: Client, rows: readonly { cardId: string; from: number; to: number }[]) =>
    rows.filter(({ cardId }) => cardId === client.hex).reduce((sum, { from, to }) => sum + to - from, 0);
  await fixture.goTo(NOW + 8 * MINUTE);
  await memberA.ask('leave', fixture.now);
  const log = readConnections(await fixture.store.selectFrom('requestLog').selectAll().orderBy('id').execute());
  const bills = (await fixture.bills()).map(({ user, from, to }) => ({ cardId: user.replaceAll('-', ''), from, to }));
  for (const client of [memberA, memberB, memberC, outsider]) expect(total(client, log)).toBe(total(client, bills));
  expect(total(memberA, log)).toBe(8 * MINUTE);
  expect(total(memberB, log)).toBe(3 * MINUTE);
  expect(total(outsider, log)).toBe(SOLD.confirmTimeout);
});
