import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { type KeyMessage, parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { sealCardPart } from '../../../../apdu/decode-module/packets/card-part.ts';
import { type CardKind, startCard } from '../../../../card-sim/index.ts';
import { KeyLoader } from '../../../../host/bridge/keys/key-loader.ts';
import { KEYS_AHEAD } from '../../../../host/contract/answers/answer.ts';
import { UniqueKeys } from '../../../../host/headend/keys/grants/card-parents.ts';
import { deriveCeilings, sealGrant } from '../../../../host/headend/keys/grants/grant.ts';
import { KeyRoot } from '../../../../host/headend/keys/key-root.ts';
import { KeySchedule } from '../../../../host/headend/keys/schedules/key-schedule.ts';
import { SessionKeyManager } from '../../../../host/headend/keys/session-key-manager.ts';
import { SharedKeyStrategy } from '../../../../host/headend/keys/strategies/shared-key-strategy.ts';
import type { ContentPeriod } from '../../../../host/headend/sender/content-keys.ts';
import { limitGroups } from '../../../../host/headend/sender/sealing-profile.ts';
import { KeyCarousel } from '../../../../host/stream/sealing/key-carousel.ts';
import { deriveTestCardKey, personalise, START } from '../../../support/streams/test-service.ts';

const SERVICE = 7;
const SSRC = 0x1000;
const TARIFF = { kind: 'free', price: 0n } as const;
/** Seconds of a segment, and of its one content key: the shortest that there are. */
const PERIOD = 20;
/** Seconds after a change up to which what was lost ahead of it does not come again. */
const LOST_AFTER = 2;

function orderContents(
  messages: readonly KeyMessage[],
  compare: (a: KeyMessage, b: KeyMessage) => number,
): readonly KeyMessage[] {
  const isContent = ({ kind }: KeyMessage) => kind === KIND.content;
  return [...messages.filter((message) => !isContent(message)), ...messages.filter(isContent).toSorted(compare)];
}

/** What the network does to the two copies of the next content key. */
const NETWORKS: Readonly<Record<string, (messages: readonly KeyMessage[], changeIn: number) => readonly KeyMessage[]>> =
  {
    'the copy under the next segment last': (messages) => orderContents(messages, (a, b) => a.parentId - b.parentId),
    'the copy under the old segment last': (messages) => orderContents(messages, (a, b) => b.parentId - a.parentId),
    'the copy under the old segment lost': (messages) => {
      const segments = messages.filter(({ kind }) => kind === KIND.segment).map(({ keyId }) => keyId);
      // Of two copies of one key, the one whose parent is the older segment.
      return messages.filter(
        ({ kind, keyId, parentId }, at) =>
          kind !== KIND.content ||
          parentId !== segments[0] ||
          !messages.some((other, i) => i !== at && other.kind === KIND.content && other.keyId === keyId),
      );
    },
    'the next segment key and the copy under it lost until the change': (messages, changeIn) => {
      const [current, next] = messages.filter(({ kind }) => kind === KIND.segment);
      if (changeIn > PERIOD - LOST_AFTER) return [];
      if (next === undefined) return messages;
      return messages.filter((message) => message !== next && message.parentId !== next.keyId && current !== next);
    },
  };

/** The keys of a service, for one card. */
interface CardKeys {
  readonly grant: Uint8Array;
  messages(time: number): readonly KeyMessage[];
  at(time: number): ContentPeriod;
}

const CEILINGS = deriveCeilings(TARIFF, limitGroups({ every: 1, closingTime: 1000 }), 1n);

/** As `headend send` makes them. */
function makeSentKeys(cardId: Uint8Array, end: number): CardKeys {
  const serviceKey = randomBytes(16);
  const purchase = {
    service: SERVICE,
    keyId: 1,
    key: serviceKey,
    from: START,
    to: end,
    number: 1,
    ceilings: CEILINGS,
  };
  const schedule = new KeySchedule({
    service: SERVICE,
    serviceKeyId: 1,
    serviceKey,
    start: START,
    end,
    segment: PERIOD,
    period: PERIOD,
    terms: { tariff: TARIFF, rating: 0, classes: { card: true, soft: true }, ssrcs: [SSRC] },
    random: randomBytes,
  });
  return {
    grant: sealGrant(purchase, cardId, deriveTestCardKey('downlink', cardId)).octets,
    messages: (time) => schedule.messages(time),
    at: (time) => schedule.at(time),
  };
}

/** As `headend serve` makes them. */
function makeServedKeys(cardId: Uint8Array, end: number): CardKeys {
  const root = new KeyRoot(randomBytes(16));
  const ids = { segment: 0, content: 0 };
  const manager = new SessionKeyManager({
    service: SERVICE,
    tariff: TARIFF,
    rating: 0,
    classes: { card: true, soft: true },
    period: PERIOD,
    segment: PERIOD,
    programme: [],
    grace: 5,
    delivery: 'multicast',
    keysAhead: KEYS_AHEAD,
    strategy: new SharedKeyStrategy({
      service: SERVICE,
      root,
      parents: new UniqueKeys((id) => deriveTestCardKey('downlink', id)),
      ceilings: CEILINGS,
      grace: 5,
      keyId: 1,
    }),
    takeId: (kind) => ++ids[kind],
    deriveSegmentKey: (keyId) => root.deriveSegmentKey(SERVICE, keyId),
    segments: [],
    members: [],
    onSegment: () => undefined,
  });
  manager.startStream({ ssrc: SSRC, mediaTime: START });
  const [grant] = manager.grant({ cardId, from: START, to: end, takeNumber: () => 1 }).messages;
  return {
    grant: grant!,
    messages: (time) => manager.due(time).shared.map((octets) => ({ ...parseKeyMessage(octets), octets })),
    at: (time) => manager.at(time),
  };
}

describe.each<[string, typeof makeSentKeys, CardKind, number]>([
  ['send', makeSentKeys, 'soft', 1000],
  ['serve', makeServedKeys, 'soft', 1000],
  ['send', makeSentKeys, 'jcardsim', 60],
  ['serve', makeServedKeys, 'jcardsim', 60],
])('keys of headend %s', (_command, makeKeys, kind, changes) => {
  test.each(Object.keys(NETWORKS))(
    `on ${kind}, over ${changes} changes, not one group is lost: %s`,
    async (network) => {
      await using card = await startCard({ kind });
      const cardId = await personalise(card, 1, 0n);
      const { grant, ...keys } = makeKeys(cardId, START + changes * PERIOD + PERIOD);
      const carousel = new KeyCarousel();
      const channel = await card.channel();
      const module = new DecodeModule(channel);
      await module.select();
      await module.openSession(SERVICE);
      const loader = new KeyLoader({ onDrop: () => undefined });
      loader.reset(1);

      const lose = NETWORKS[network]!;
      const ids = new Set<number>();
      for (let time = START; time < START + changes * PERIOD; time++) {
        const now = (time - START) * 1000;
        const changeIn = PERIOD - ((time - START) % PERIOD);
        const first = time < START + PERIOD;
        const shared = (first ? (all: readonly KeyMessage[]) => all : lose)(keys.messages(time), changeIn);
        const due = { personal: [grant], shared: shared.map(({ octets }) => octets) };
        for (const datagram of carousel.take(now, due)) loader.add(datagram, now);
        for (let next = loader.next(); next !== undefined; next = loader.next()) await loader.load(module, next, now);
        const period = keys.at(time);
        ids.add(period.id);
        const header = {
          mode: 'sealed',
          spanBlocks: 1,
          packets: 1,
          octets: 1000,
          duration: 1000,
          mediaTime: time,
          contentKeyId: period.id,
          index: time - START,
          ssrc: SSRC,
          group: time - START + 1,
        } as const;
        const lost = await module.decode(sealCardPart(header, new Uint8Array(16), period.ciphers)).then(
          () => undefined,
          (error: unknown) => String(error),
        );
        expect(lost, `group of second ${time - START}`).toBeUndefined();
      }
      expect(ids.size).toBe(changes);
      await channel.close();
    },
  );
});
