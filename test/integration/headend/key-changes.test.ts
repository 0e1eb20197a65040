import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import type { KeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { sealCardPart } from '../../../apdu/decode-module/packets/card-part.ts';
import { type CardKind, startCard } from '../../../card-sim/index.ts';
import { KeyLoader } from '../../../host/bridge/keys/key-loader.ts';
import { deriveCeilings, sealGrant } from '../../../host/headend/keys/grant.ts';
import { KeySchedule } from '../../../host/headend/keys/key-schedule.ts';
import { limitGroups } from '../../../host/headend/sender/sealing-profile.ts';
import { KeyCarousel } from '../../../host/stream/sealing/key-carousel.ts';
import { deriveTestCardKey, personalise, START } from '../../support/test-service.ts';

const SERVICE = 7;
const SSRC = 0x1000;
const TARIFF = { kind: 'free', price: 0n } as const;
/** Seconds of a segment, and of its one content key: the shortest that there are. */
const PERIOD = 20;
/** Seconds after a change up to which what was lost ahead of it does not come again. */
const LOST_AFTER = 2;

/** What the network does to the two copies of the next content key. */
const NETWORKS: Readonly<Record<string, (messages: readonly KeyMessage[], changeIn: number) => readonly KeyMessage[]>> =
  {
    'the copy under the next segment last': (messages) => messages,
    'the copy under the old segment last': (messages) => {
      const contents = messages.filter(({ kind }) => kind === KIND.content);
      return [...messages.filter(({ kind }) => kind !== KIND.content), ...contents.toReversed()];
    },
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

describe.each<[CardKind, number]>([
  ['soft', 1000],
  ['jcardsim', 60],
])('on %s, over %i changes of segment and content key', (kind, changes) => {
  test.each(Object.keys(NETWORKS))('not one group is lost: %s', async (network) => {
    await using card = await startCard({ kind });
    const cardId = await personalise(card, 1, 0n);
    const end = START + changes * PERIOD + PERIOD;
    const serviceKey = randomBytes(16);
    const ceilings = deriveCeilings(TARIFF, limitGroups({ every: 1, closingTime: 1000 }), 1n);
    const purchase = { service: SERVICE, keyId: 1, key: serviceKey, from: START, to: end, number: 1, ceilings };
    const grant = sealGrant(purchase, cardId, deriveTestCardKey('downlink', cardId)).octets;
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
      const shared = (first ? (all: readonly KeyMessage[]) => all : lose)(schedule.messages(time), changeIn);
      const due = { personal: [grant], shared: shared.map(({ octets }) => octets) };
      for (const datagram of carousel.take(now, due)) loader.add(datagram, now);
      for (let next = loader.next(); next !== undefined; next = loader.next()) await loader.load(module, next, now);
      const period = schedule.at(time);
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
  });
});
