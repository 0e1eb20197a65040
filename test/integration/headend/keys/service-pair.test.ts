import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { generateP256 } from '../../../../apdu/decode-module/keys/p256.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { toHex } from '../../../../apdu/octets.ts';
import type { CardKind } from '../../../../card-sim/index.ts';
import { KEYS_AHEAD } from '../../../../host/contract/answers/answer.ts';
import { UniqueKeys } from '../../../../host/headend/keys/grants/card-parents.ts';
import { KeyRoot } from '../../../../host/headend/keys/key-root.ts';
import type { SegmentKey } from '../../../../host/headend/keys/schedules/segment-key.ts';
import { SessionKeyManager } from '../../../../host/headend/keys/session-key-manager.ts';
import { MemberListStrategy } from '../../../../host/headend/keys/strategies/member-list-strategy.ts';
import { ServicePairStrategy } from '../../../../host/headend/keys/strategies/service-pair-strategy.ts';
import type { ListedMember } from '../../../../host/headend/membership/member-list.ts';
import { BrokenCard } from '../../../support/cards/broken-card.ts';
import { Recording, RecordingViewer, sealSecond, SERVICE, SSRC } from '../../../support/cards/recording-viewer.ts';
import { isTaken } from '../../../support/headend/recording.ts';
import { deriveTestCardKey, START } from '../../../support/streams/test-service.ts';

const CEILINGS = { perMegabyte: 0n, perHour: 0n, flat: 0n, groupOctets: 5000, groupDuration: 2000, quantum: 1n };
/** Seconds of the stream, and of the key changes in it. */
const LENGTH = 300;
const PERIOD = 40;
const SEGMENT = 120;
/** When one leaves, one is evicted, and one that has no point leaves, in seconds of the stream. */
const LEFT = 50;
const EVICTED = 70;
const LISTED_LEFT = 210;
/** Seconds for which an unscheduled key travels before it holds. */
const REKEY_LEAD = 2;
/** When members ask for what the next segment needs, in seconds of each segment. */
const ASKED = SEGMENT - 20;

const HEAD_END = generateP256();
const root = new KeyRoot(randomBytes(16));
const downlinkKey = (cardId: Uint8Array) => deriveTestCardKey('downlink', cardId);

type Delivery = 'multicast' | 'unicast';
type Member = Pick<ListedMember, 'cardId' | 'from' | 'to'>;

/** @param hasPoint whether a card has the head-end's point. */
function makeKeys(
  delivery: Delivery,
  grace: number,
  hasPoint: (cardId: Uint8Array) => boolean,
  chosen: string[],
  { ids = { segment: 1, content: 1 }, segments = [] as SegmentKey[], members = [] as Member[] } = {},
): SessionKeyManager {
  const common = { service: SERVICE, root, parents: new UniqueKeys(downlinkKey), ceilings: CEILINGS, grace };
  return new SessionKeyManager({
    service: SERVICE,
    tariff: { kind: 'free', price: 0n },
    rating: 0,
    classes: { card: true, soft: true },
    period: PERIOD,
    segment: SEGMENT,
    programme: [],
    grace,
    delivery,
    keysAhead: KEYS_AHEAD,
    strategy: new ServicePairStrategy({
      ...common,
      staticKey: HEAD_END.privateKey,
      hasPoint,
      others: new MemberListStrategy(common),
      earlier: [...segments],
      onChosen: (_cardId, way, reason) => chosen.push(`${way}: ${reason}`),
    }),
    takeId: (name) => ids[name]++,
    deriveSegmentKey: (keyId) => root.deriveSegmentKey(SERVICE, keyId),
    segments: [...segments],
    members,
    onSegment: (segment) => segments.push(segment),
  });
}

const seconds = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe.each<[Delivery, CardKind, number]>([
  ['multicast', 'soft', 0],
  ['multicast', 'soft', 5],
  ['multicast', 'jcardsim', 5],
  ['unicast', 'soft', 5],
])('segment keys by %s under a pair of the service, on %s, with %i s of grace', (delivery, kind, grace) => {
  test('play without a gap, one message for all; what was recorded opens nothing to who left or was evicted', async () => {
    await using started = new AsyncDisposableStack();
    const names = ['stayer', 'leaver', 'evicted', 'pointless', 'outsider'] as const;
    const viewers = {} as Record<(typeof names)[number], RecordingViewer>;
    for (const [i, name] of names.entries()) {
      viewers[name] = await RecordingViewer.start(kind, i + 1);
      started.defer(() => viewers[name].close());
      if (name !== 'pointless') await viewers[name].givePoint(HEAD_END.publicKey);
    }
    const { stayer, leaver, evicted, pointless, outsider } = viewers;
    const chosen: string[] = [];
    const keys = makeKeys(delivery, grace, (cardId) => toHex(cardId) !== toHex(pointless.cardId), chosen);
    keys.startStream({ ssrc: SSRC, mediaTime: START });
    const recording = new Recording();
    const members = new Set([stayer, leaver, evicted, pointless]);
    const ask = async (viewer: RecordingViewer, second: number): Promise<void> => {
      const { messages, keysUntil } = keys.grant(viewer.grant(0, LENGTH + SEGMENT));
      expect(keysUntil).toBeGreaterThan(START + second + KEYS_AHEAD);
      for (const message of messages) recording.add(message);
      await viewer.hear(messages, second * 1000);
    };
    for (const viewer of members) await ask(viewer, 0);

    const watched = new Map<RecordingViewer, number[]>([...members].map((viewer) => [viewer, []]));
    const packets: Recording['groups'] = [];
    const onAir = new Recording();
    for (let second = 0; second < LENGTH; second++) {
      if (second === LEFT) {
        const pair = (await leaver.module.listKeys()).find((key) => key.kind === KIND.servicePair)!;
        await leaver.module.leave(SERVICE, pair.keyId, START + LEFT);
        keys.end(leaver.cardId, START + LEFT);
        members.delete(leaver);
      }
      if (second === EVICTED) {
        keys.end(evicted.cardId, START + EVICTED);
        members.delete(evicted);
      }
      if (second === LISTED_LEFT) {
        keys.end(pointless.cardId, START + LISTED_LEFT);
        members.delete(pointless);
      }
      if (second % SEGMENT === ASKED) for (const viewer of members) await ask(viewer, second);
      const { personal, shared } = keys.due(START + second);
      for (const message of [...personal, ...shared]) {
        recording.add(message);
        onAir.add(message);
      }
      const group = sealSecond(keys, second);
      packets.push(group);
      for (const [viewer, opened] of watched) {
        await viewer.hear([...personal, ...shared], second * 1000);
        if (await isTaken(viewer.module.decode(group.part))) opened.push(second);
      }
    }
    expect(watched.get(stayer)).toEqual(seconds(0, LENGTH));
    expect(watched.get(pointless)).toEqual(seconds(0, LISTED_LEFT + REKEY_LEAD));
    expect(watched.get(leaver)).toEqual(seconds(0, LEFT));
    // Its card holds who is evicted to the segment that it bought.
    expect(watched.get(evicted)).toEqual(seconds(0, SEGMENT));

    // Each purchase is of its segment alone.
    const bought = [...recording.messages.values()].map(parseKeyMessage).filter((key) => key.kind === KIND.servicePair);
    const pairs = [...new Set(bought.map(({ keyId }) => keyId))];
    expect(pairs).toHaveLength(3);
    for (const { keyId, from, to } of bought) {
      const segment = pairs.indexOf(keyId);
      expect([from, to]).toEqual([START + segment * SEGMENT, START + (segment + 1) * SEGMENT + grace]);
    }
    // One message for each segment key, however many there are, and one for the card that has no point. That one's leave
    // brought a key of its own, under the pair of the same segment.
    const segments = [...onAir.messages.values()].map(parseKeyMessage).filter((key) => key.kind === KIND.segment);
    const idsUnder = (parentKind: number) =>
      segments.filter((key) => key.parentKind === parentKind).map((key) => key.keyId);
    expect(idsUnder(KIND.servicePair)).toEqual(delivery === 'multicast' ? [1, 2, 3, 4] : [3]);
    expect(idsUnder(KIND.service)).toEqual(delivery === 'multicast' ? [1, 2] : []);
    expect(new Set(chosen)).toEqual(
      new Set([
        'pair: the card has the point of this head-end, as it made a key pair for it',
        'others: the issuer store has no public half of this card, so it is served by list',
      ]),
    );

    // Everything, in every order that helps, with the power kept and lost, and by who has read the keys out of a card.
    const later = (second: number) => packets.filter((group) => group.second >= second);
    for (const power of ['kept', 'lost']) {
      if (power === 'lost') for (const viewer of [leaver, evicted, outsider]) await viewer.reset();
      expect(await leaver.try(recording, later(LEFT)), `leaver, power ${power}`).toEqual([]);
      expect(await evicted.try(recording, later(SEGMENT)), `evicted, power ${power}`).toEqual([]);
      expect(await outsider.try(recording, packets), `outsider, power ${power}`).toEqual([]);
    }
    for (const viewer of [leaver, evicted, outsider]) {
      const broken = new BrokenCard(SERVICE, downlinkKey(viewer.cardId), HEAD_END.publicKey);
      broken.learn(recording.messages.values());
      const opened = packets.filter(({ contentKeyId }) => broken.hasContent(contentKeyId)).map(({ second }) => second);
      expect(opened).toEqual(viewer === outsider ? [] : seconds(0, SEGMENT));
    }
  });
});

test('a head-end that starts anew goes on under the same pair; who left before it opens nothing of the next segment', async () => {
  await using stack = new AsyncDisposableStack();
  const [stayer, leaver] = [await RecordingViewer.start('soft', 1), await RecordingViewer.start('soft', 2)];
  for (const viewer of [stayer, leaver]) {
    stack.defer(() => viewer.close());
    await viewer.givePoint(HEAD_END.publicKey);
  }
  const kept = { ids: { segment: 1, content: 1 }, segments: [] as SegmentKey[] };
  const open = (members: Member[]) => makeKeys('multicast', 5, () => true, [], { ...kept, members });
  const recording = new Recording();
  const opened: number[] = [];
  let keys = open([]);
  const ask = async (viewer: RecordingViewer, second: number): Promise<void> => {
    const { messages } = keys.grant(viewer.grant(0, LENGTH));
    for (const message of messages) recording.add(message);
    await viewer.hear(messages, second * 1000);
  };
  const play = async (from: number, to: number): Promise<void> => {
    for (let second = from; second < to; second++) {
      if (second === ASKED) await ask(stayer, second);
      const { personal, shared } = keys.due(START + second);
      for (const message of [...personal, ...shared]) recording.add(message);
      await stayer.hear([...personal, ...shared], second * 1000);
      const group = sealSecond(keys, second);
      recording.groups.push(group);
      if (await isTaken(stayer.module.decode(group.part))) opened.push(second);
    }
  };
  keys.startStream({ ssrc: SSRC, mediaTime: START });
  for (const viewer of [stayer, leaver]) await ask(viewer, 0);
  await play(0, 30);
  keys.end(leaver.cardId, START + 30);
  await play(30, 50);
  keys = open([{ cardId: toHex(stayer.cardId), from: START, to: START + LENGTH }]);
  keys.startStream({ ssrc: SSRC, mediaTime: START + 50 });
  await play(50, 2 * SEGMENT);

  expect(opened).toEqual(seconds(0, 2 * SEGMENT));
  const pairs = [...recording.messages.values()].map(parseKeyMessage).filter((key) => key.kind === KIND.servicePair);
  expect(new Set(pairs.map(({ keyId }) => keyId)).size).toBe(2);
  const broken = new BrokenCard(SERVICE, downlinkKey(leaver.cardId), HEAD_END.publicKey);
  broken.learn(recording.messages.values());
  const known = recording.groups.filter(({ contentKeyId }) => broken.hasContent(contentKeyId));
  expect(known.map(({ second }) => second)).toEqual(seconds(0, SEGMENT));
});

test('a private half is of one issuer, service and segment, and the same after every start', () => {
  const other = new KeyRoot(randomBytes(16));
  const halves = [root, other].flatMap((one) =>
    [SERVICE, SERVICE + 1].flatMap((service) => [1, 2].map((id) => toHex(one.derivePrivateHalf(service, id)))),
  );
  expect(new Set(halves).size).toBe(8);
  expect(toHex(root.derivePrivateHalf(SERVICE, 1))).toBe(halves[0]);
});
