import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { separate } from '../../../../apdu/decode-module/keys/combined-section.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { ModuleError } from '../../../../apdu/decode-module/module-status.ts';
import { sealCardPart } from '../../../../apdu/decode-module/packets/card-part.ts';
import { toHex } from '../../../../apdu/octets.ts';
import { type SimulatedCard, startCard } from '../../../../card-sim/index.ts';
import { KEYS_AHEAD } from '../../../../host/contract/answers/answer.ts';
import { UniqueKeys } from '../../../../host/headend/keys/grants/card-parents.ts';
import { KeyRoot } from '../../../../host/headend/keys/key-root.ts';
import type { SegmentKey } from '../../../../host/headend/keys/schedules/segment-key.ts';
import { SessionKeyManager, type SessionKeyManagerOptions } from '../../../../host/headend/keys/session-key-manager.ts';
import { MemberListStrategy } from '../../../../host/headend/keys/strategies/member-list-strategy.ts';
import { SharedKeyStrategy } from '../../../../host/headend/keys/strategies/shared-key-strategy.ts';
import { SingleSegmentStrategy } from '../../../../host/headend/keys/strategies/single-segment-strategy.ts';
import { deriveTestCardKey, personalise } from '../../../support/streams/test-service.ts';

const SERVICE = 7;
const START = 1_700_000_000;
const SSRC = 0x1000;
const ROOT = new KeyRoot(randomBytes(16));
const CEILINGS = {
  perMegabyte: 250_000n,
  perHour: 0n,
  flat: 0n,
  groupOctets: 5000,
  groupDuration: 2000,
  quantum: 500_000n,
};
const COMMON = {
  service: SERVICE,
  root: ROOT,
  parents: new UniqueKeys((cardId) => deriveTestCardKey('downlink', cardId)),
  ceilings: CEILINGS,
};

/** Ids from nowhere but memory, and what was made under them. */
class TestIds {
  readonly next = { segment: 1, content: 1 };
  readonly segments: SegmentKey[] = [];
  take = (kind: 'segment' | 'content') => this.next[kind]++;
}

function makeKeys(changes: Partial<SessionKeyManagerOptions> & { ids?: TestIds } = {}) {
  const { ids = new TestIds(), ...rest } = changes;
  const grace = rest.grace ?? 5;
  return new SessionKeyManager({
    service: SERVICE,
    tariff: { kind: 'octets', price: 250_000n },
    rating: 0,
    classes: { card: true, soft: true },
    period: 40,
    segment: 120,
    programme: [],
    grace,
    strategy: new MemberListStrategy({ ...COMMON, grace }),
    delivery: 'multicast',
    keysAhead: KEYS_AHEAD,
    takeId: ids.take,
    deriveSegmentKey: (keyId) => ROOT.deriveSegmentKey(SERVICE, keyId),
    segments: [],
    members: [],
    onSegment: (segment) => ids.segments.push(segment),
    ...rest,
  });
}

/** A card that takes what it is sent, and opens what it can. */
class Viewer {
  readonly cardId: Uint8Array;
  readonly #card: SimulatedCard;
  readonly #module: DecodeModule;
  readonly #seen = new Set<string>();
  #number = START;
  #group = 0;

  static async start(serial: number): Promise<Viewer> {
    const card = await startCard({ kind: 'soft' });
    const cardId = await personalise(card, serial, 100_000_000n);
    const module = new DecodeModule(await card.channel());
    await module.select();
    await module.openSession(SERVICE);
    return new Viewer(card, cardId, module);
  }

  private constructor(card: SimulatedCard, cardId: Uint8Array, module: DecodeModule) {
    this.#card = card;
    this.cardId = cardId;
    this.#module = module;
  }

  grant = (from: number, to: number) => ({ cardId: this.cardId, from, to, takeNumber: () => this.#number++ });

  /** Loads what it was granted, all of it. */
  async take({ messages }: { readonly messages: readonly Uint8Array[] }): Promise<void> {
    for (const message of messages) {
      await this.#module.loadKey(message);
      this.#seen.add(toHex(message));
    }
  }

  /** Loads what is on the air, each message once. */
  async load(messages: readonly Uint8Array[]): Promise<void> {
    for (const message of messages.flatMap((octets) =>
      octets[0] === KIND.combinedSection ? separate(octets) : [octets],
    )) {
      if (this.#seen.has(toHex(message))) continue;
      try {
        await this.#module.loadKey(message);
        this.#seen.add(toHex(message));
      } catch (error) {
        // Others' entries of a section, and messages whose parent is still to come.
        if (!(error instanceof ModuleError)) throw error;
      }
    }
  }

  /** Whether it opens a group of a media time. */
  async opens(keys: SessionKeyManager, mediaTime: number): Promise<boolean> {
    const { id, ciphers } = keys.at(mediaTime);
    const header = {
      mode: 'sealed',
      spanBlocks: 1,
      packets: 1,
      octets: 1000,
      duration: 0,
      mediaTime,
      contentKeyId: id,
      index: this.#group + 1,
      ssrc: SSRC,
      group: ++this.#group,
    } as const;
    try {
      await this.#module.decode(sealCardPart(header, new Uint8Array(16), ciphers));
      return true;
    } catch (error) {
      if (!(error instanceof ModuleError)) throw error;
      return false;
    }
  }

  close = () => this.#card.close();
}

let memberA: Viewer;
let memberB: Viewer;

beforeEach(async () => {
  [memberA, memberB] = await Promise.all([Viewer.start(1), Viewer.start(2)]);
});

afterEach(() => Promise.all([memberA.close(), memberB.close()]));

/** Everything that is on the key port at a media time. */
function onAir(keys: SessionKeyManager, mediaTime: number): Uint8Array[] {
  const { personal, shared } = keys.due(mediaTime);
  return [...personal, ...shared];
}

/** Lets media time pass, second by second. @returns who opened what, a letter a second: A, B, * for both, - for none. */
async function play(keys: SessionKeyManager, from: number, seconds: number): Promise<string> {
  let line = '';
  for (let time = from; time < from + seconds; time++) {
    const messages = onAir(keys, time);
    await memberA.load(messages);
    await memberB.load(messages);
    const [a, b] = [await memberA.opens(keys, time), await memberB.opens(keys, time)];
    line += a && b ? '*' : a ? 'A' : b ? 'B' : '-';
  }
  return line;
}

describe.each(['list', 'shared'] as const)('keys by strategy %s', (name) => {
  const makeStrategy = (grace = 5) =>
    name === 'list'
      ? new MemberListStrategy({ ...COMMON, grace })
      : new SharedKeyStrategy({ ...COMMON, grace, keyId: 0xf000_0001 });

  test('members open everything over changes of content and segment keys, others nothing', async () => {
    const keys = makeKeys({ strategy: makeStrategy() });
    keys.startStream({ ssrc: SSRC, mediaTime: START });
    await memberA.take(keys.grant(memberA.grant(START, START + 1000)));
    expect(await play(keys, START, 300)).toBe('A'.repeat(300));
  });

  test('a member that joins later opens nothing from before, and all from then on', async () => {
    const keys = makeKeys({ strategy: makeStrategy() });
    keys.startStream({ ssrc: SSRC, mediaTime: START });
    await memberA.take(keys.grant(memberA.grant(START, START + 1000)));
    expect(await play(keys, START, 50)).toBe('A'.repeat(50));
    await memberB.take(keys.grant(memberB.grant(START + 50, START + 1000)));
    expect(await memberB.opens(keys, START + 49)).toBe(false);
    expect(await play(keys, START + 50, 30)).toBe('*'.repeat(30));
  });

  test('a grant alone opens the stream: nobody waits for the key port', async () => {
    const keys = makeKeys({ strategy: makeStrategy() });
    keys.startStream({ ssrc: SSRC, mediaTime: START });
    await memberA.take(keys.grant(memberA.grant(START, START + 1000)));
    expect(await memberA.opens(keys, START)).toBe(true);
  });

  test.each([0, 7, 200])('who joins %d s before the first stream opens all of it', async (wait) => {
    const keys = makeKeys({ strategy: makeStrategy() });
    await memberA.take(keys.grant(memberA.grant(START, START + 1000)));
    keys.startStream({ ssrc: SSRC, mediaTime: START + wait });
    expect(await play(keys, START + wait, 60)).toBe('A'.repeat(60));
  });

  test('an extension goes on without a gap', async () => {
    const keys = makeKeys({ strategy: makeStrategy() });
    keys.startStream({ ssrc: SSRC, mediaTime: START });
    await memberA.take(keys.grant(memberA.grant(START, START + 100)));
    const first = await play(keys, START, 90);
    await memberA.take(keys.grant(memberA.grant(START, START + 200)));
    expect(first + (await play(keys, START + 90, 120))).toBe(`${'A'.repeat(200)}${'-'.repeat(10)}`);
  });
});

describe.each([
  ['list', 5],
  ['shared', 5],
  ['single', 0],
] as const)('segment keys by unicast, strategy %s', (name, grace) => {
  const makeStrategy = () => {
    if (name === 'single') return new SingleSegmentStrategy(COMMON);
    return name === 'list'
      ? new MemberListStrategy({ ...COMMON, grace })
      : new SharedKeyStrategy({ ...COMMON, grace, keyId: 0xf000_0001 });
  };

  test('are never on the key port; who asks before they end opens everything, who does not opens no more', async () => {
    const keys = makeKeys({ strategy: makeStrategy(), delivery: 'unicast', grace });
    keys.startStream({ ssrc: SSRC, mediaTime: START });
    const ask = (viewer: Viewer) => keys.grant(viewer.grant(START, START + 1000));
    let granted = ask(memberA);
    await memberA.take(granted);
    await memberB.take(ask(memberB));
    expect(granted.keysUntil).toBe(START + 120);
    let line = '';
    for (let time = START; time < START + 300; time++) {
      const kinds = new Set(onAir(keys, time).map(([kind]) => kind));
      expect(kinds).toEqual(new Set([KIND.content]));
      if (time === granted.keysUntil! - KEYS_AHEAD) await memberA.take((granted = ask(memberA)));
      line += await play(keys, time, 1);
    }
    // The key of before opens for its grace.
    expect(line).toBe('*'.repeat(120 + grace) + 'A'.repeat(180 - grace));
  });

  test('an answer has nothing that its card cannot load: no content key without the segment key above it', async () => {
    const keys = makeKeys({ strategy: makeStrategy(), delivery: 'unicast', grace });
    keys.startStream({ ssrc: SSRC, mediaTime: START });
    // Who joins ahead has no segment key yet, and is told to ask before its start.
    const ahead = keys.grant(memberA.grant(START + 200, START + 1000));
    expect([ahead.segments, ahead.keysUntil]).toEqual([[], START + 200]);
    await memberA.take(ahead);
    await play(keys, START, 100);
    // Its join ends with the segment that is on, while the next one is announced.
    const last = keys.grant(memberB.grant(START, START + 110));
    expect([last.segments, last.keysUntil]).toEqual([[{ id: 1, from: START, to: START + 110 }], START + 120]);
    await memberB.take(last);
    await play(keys, START + 100, 80);
    await memberA.take(keys.grant(memberA.grant(START + 200, START + 1000)));
    expect(await play(keys, START + 195, 10)).toBe('-----AAAAA');
  });
});

test('by unicast, a segment key that replaces another comes by the key port, to all but who left', async () => {
  const keys = makeKeys({ segment: 3600, period: 300, delivery: 'unicast' });
  keys.startStream({ ssrc: SSRC, mediaTime: START });
  for (const viewer of [memberA, memberB]) await viewer.take(keys.grant(viewer.grant(START, START + 3000)));
  expect(await play(keys, START, 20)).toBe('*'.repeat(20));
  keys.end(memberB.cardId, START + 20);
  expect(await play(keys, START + 20, 40)).toBe(`**${'A'.repeat(38)}`);
});

test('by unicast, who leaves with the next segment key in hand opens nothing of that segment', async () => {
  const keys = makeKeys({ delivery: 'unicast' });
  keys.startStream({ ssrc: SSRC, mediaTime: START });
  const ask = (viewer: Viewer) => keys.grant(viewer.grant(START, START + 3000));
  for (const viewer of [memberA, memberB]) await viewer.take(ask(viewer));
  expect(await play(keys, START, 95)).toBe('*'.repeat(95));
  for (const viewer of [memberA, memberB]) await viewer.take(ask(viewer));
  keys.end(memberB.cardId, START + 110);
  expect(await play(keys, START + 95, 60)).toMatch(/^[*]{15}[*A]{10}A{35}$/);
});

describe('a member that leaves', () => {
  test('opens nothing after the change of keys that its end brings; the others never miss a packet', async () => {
    const ids = new TestIds();
    const keys = makeKeys({ ids, segment: 3600, period: 300 });
    keys.startStream({ ssrc: SSRC, mediaTime: START });
    for (const viewer of [memberA, memberB]) await viewer.take(keys.grant(viewer.grant(START, START + 3000)));
    expect(await play(keys, START, 100)).toBe('*'.repeat(100));
    keys.end(memberB.cardId, START + 100);
    // 2 s in which the new key travels.
    expect(await play(keys, START + 100, 60)).toBe(`**${'A'.repeat(58)}`);
    // A flat price is paid for the segment that is sold, whose keys changed.
    expect(new Set(ids.segments.map(({ segment }) => segment)).size).toBe(1);
    expect(ids.segments).toHaveLength(2);
  });

  test('at a time to come, opens everything until then and nothing after', async () => {
    const keys = makeKeys({ segment: 3600, period: 300 });
    keys.startStream({ ssrc: SSRC, mediaTime: START });
    for (const viewer of [memberA, memberB]) await viewer.take(keys.grant(viewer.grant(START, START + 3000)));
    keys.end(memberB.cardId, START + 50);
    expect(await play(keys, START, 80)).toBe(`${'*'.repeat(50)}${'A'.repeat(30)}`);
  });

  test('and whose card forgot its end, as a broken one may, has no key after the end of its grant', async () => {
    const keys = makeKeys({ segment: 3600, period: 300 });
    keys.startStream({ ssrc: SSRC, mediaTime: START });
    await memberA.take(keys.grant(memberA.grant(START, START + 3000)));
    // The card is given more time than the list has, which stands for a card that does not keep to its end.
    await memberB.take(keys.grant(memberB.grant(START, START + 3000)));
    keys.grant({ ...memberB.grant(START, START + 60), takeNumber: () => 1 });
    expect(await play(keys, START, 100)).toBe(`${'*'.repeat(60)}${'A'.repeat(40)}`);
  });

  test('just before a regular change gets no key of the next segment', async () => {
    const keys = makeKeys();
    keys.startStream({ ssrc: SSRC, mediaTime: START });
    for (const viewer of [memberA, memberB]) await viewer.take(keys.grant(viewer.grant(START, START + 3000)));
    // The segment ends at 120, and its next key is announced from 103 on.
    expect(await play(keys, START, 110)).toBe('*'.repeat(110));
    keys.end(memberB.cardId, START + 110);
    expect(await play(keys, START + 110, 60)).toBe(`${'*'.repeat(10)}${'A'.repeat(50)}`);
  });

  test('and joins again opens all from then on', async () => {
    const keys = makeKeys({ segment: 3600, period: 300 });
    keys.startStream({ ssrc: SSRC, mediaTime: START });
    for (const viewer of [memberA, memberB]) await viewer.take(keys.grant(viewer.grant(START, START + 3000)));
    await play(keys, START, 10);
    keys.end(memberB.cardId, START + 10);
    expect(await play(keys, START + 10, 30)).toBe(`**${'A'.repeat(28)}`);
    await memberB.take(keys.grant(memberB.grant(START + 40, START + 3000)));
    expect(await play(keys, START + 40, 30)).toBe('*'.repeat(30));
  });
});

test('of 1,000 key changes, none loses a packet', async () => {
  const keys = makeKeys({ segment: 40, period: 20 });
  keys.startStream({ ssrc: SSRC, mediaTime: START });
  await memberA.take(keys.grant(memberA.grant(START, START + 30_000)));
  let opened = 0;
  for (let time = START; time < START + 20_000; time += 5) {
    await memberA.load(onAir(keys, time));
    if (await memberA.opens(keys, time)) opened += 1;
  }
  expect(opened).toBe(4000);
});

test('a session that starts anew goes on in the segment that is sold, with ids that were never given', async () => {
  const ids = new TestIds();
  const before = makeKeys({ ids, segment: 600 });
  before.startStream({ ssrc: SSRC, mediaTime: START });
  await memberA.take(before.grant(memberA.grant(START, START + 500)));
  expect(await play(before, START, 50)).toBe('A'.repeat(50));
  const last = before.at(START + 49);

  const members = [{ cardId: toHex(memberA.cardId), from: START, to: START + 500 }];
  const after = makeKeys({ ids, segment: 600, members, segments: ids.segments });
  after.startStream({ ssrc: SSRC, mediaTime: START + 50 });
  expect(after.at(START + 50)).toMatchObject({ segmentId: last.segmentId });
  expect(after.at(START + 50).id).toBeGreaterThan(last.id);
  expect(await play(after, START + 50, 50)).toBe('A'.repeat(50));
});

test('a segment is a programme, where one is on', () => {
  const ids = new TestIds();
  const programme = [
    { from: START + 100, to: START + 700 },
    { from: START + 700, to: START + 1000 },
  ];
  const keys = makeKeys({ ids, segment: 3600, period: 300, programme });
  keys.startStream({ ssrc: SSRC, mediaTime: START });
  for (let time = START; time < START + 1100; time++) keys.due(time);
  expect(ids.segments.map(({ from, to }) => [from - START, to - START])).toEqual([
    [0, 100],
    [100, 700],
    [700, 1000],
    [1000, 4600],
  ]);
});

test('1,000 members are told a segment key in 21 sections, and a joiner changes one of them', async () => {
  const keys = makeKeys();
  keys.startStream({ ssrc: SSRC, mediaTime: START });
  const cards = Array.from({ length: 1000 }, (_, i) =>
    Uint8Array.from([0x0a, 0x1b, 0x2c, memberA.cardId[3]!, 0, 0, 1 + (i >> 8), i & 255]),
  );
  for (const cardId of cards) keys.grant({ cardId, from: START, to: START + 1000, takeNumber: () => 1 });
  const { personal } = keys.due(START);
  expect(personal).toHaveLength(21);
  await memberA.take(keys.grant(memberA.grant(START, START + 1000)));
  const again = keys.due(START).personal;
  expect(again.filter((section) => !personal.includes(section))).toHaveLength(1);
});
