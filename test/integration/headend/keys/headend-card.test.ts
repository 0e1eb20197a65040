import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import type { Tariff } from '../../../../apdu/decode-module/money/tariff.ts';
import { readCardPartLength, completeCardPart } from '../../../../apdu/decode-module/packets/card-part.ts';
import { readUint } from '../../../../apdu/octets.ts';
import { type SimulatedCard, startCard } from '../../../../card-sim/index.ts';
import { type KeyManagerOptions, openGrantNumbers } from '../../../../host/headend/index.ts';
import { splitDatagram } from '../../../support/cards/keys-by-hand.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { makeSender, type SenderChanges, sourceOf } from '../../../support/streams/test-sender.ts';
import { deriveTestCardKey, personalise } from '../../../support/streams/test-service.ts';

const SERVICE = 7;
/** 100 s of media. */
const SOURCE = randomBytes(1_000_000);
const RATE = 80_000;

let capture: ServiceCapture;
let card: SimulatedCard;

beforeEach(async () => {
  capture = await ServiceCapture.start();
  card = await startCard({ kind: 'soft' });
});

afterEach(async () => {
  await capture.close();
  await card.close();
});

function makeCardSender(cardId: Uint8Array, keys: Partial<KeyManagerOptions>, changes: SenderChanges = {}) {
  return makeSender(capture, {
    source: { media: sourceOf([SOURCE]), rate: RATE },
    profile: { every: 5, closingTime: 1000 },
    // Keys are announced 7 s ahead of their use: 70 ms.
    pace: { speed: 100, lead: 100 },
    keys: {
      service: SERVICE,
      price: { tariff: { kind: 'free', price: 0n } },
      cards: [{ cardId, downlinkKey: deriveTestCardKey('downlink', cardId) }],
      period: 20,
      segment: 60,
      ...keys,
    },
    ...changes,
  });
}

test.each<[string, Tariff, bigint]>([
  ['0.25 a megabyte', { kind: 'octets', price: 250_000n }, 250_000n],
  ['3.60 an hour', { kind: 'duration', price: 3_600_000n }, 100_000n],
  ['1.50 a segment', { kind: 'flat', price: 1_500_000n }, 3_000_000n],
  ['nothing', { kind: 'free', price: 0n }, 0n],
])(
  'a card opens all of a stream with the keys and ceilings that were sent, over 2 segments and 5 keys, for %s',
  async (_name, tariff, amount) => {
    const cardId = await personalise(card, 77, 10_000_000n);
    const { sender, stream } = await makeCardSender(cardId, { price: { tariff } });
    await sender.run(new AbortController().signal);
    await sleep(50);
    expect(sender.totals).toMatchObject({ contentKeys: 5, segments: 2 });

    const module = new DecodeModule(await card.channel());
    await module.select();
    await module.openSession(SERVICE);
    const loaded = new Set<string>();
    let opened = 0;
    for (const { port, octets } of capture.events) {
      if (port === 'keys') {
        for (const message of splitDatagram(octets)) {
          if (loaded.has(message.toString('hex'))) continue;
          await module.loadKey(message);
          loaded.add(message.toString('hex'));
        }
      } else if ((octets.at(-4)! & 0x80) !== 0) {
        const payload = octets.subarray(12);
        const part = payload.subarray(0, readCardPartLength(payload));
        const group = readUint(octets, octets.length - 4, 4) - 0x80000000;
        await module.decode(completeCardPart(part, stream.ssrc, group));
        opened += 1;
      }
    }
    expect(opened).toBe(sender.totals.groups);
    const receipt = await module.closeSession();
    expect(receipt?.amount ?? 0n).toBe(amount);
    if (amount > 0n) expect(receipt).toMatchObject({ octets: SOURCE.length, duration: 100_000, groups: opened });
  },
);

test.each([
  ['in the order of their start', [7, 8, 9]],
  ['the other way round', [9, 8, 7]],
])('a card takes the purchases of services that were started 100 s apart, %s', async (_name, order) => {
  const cardId = await personalise(card, 77, 0n);
  const store = await mkdtemp(join(tmpdir(), 'tollcast-grants-'));
  const clock = new SimulatedClock();
  const grants = new Map<number, Uint8Array>();
  try {
    for (const service of [7, 8, 9]) {
      await clock.advance(100_000);
      const numbers = openGrantNumbers(store);
      const { sender } = await makeCardSender(cardId, { service }, { source: {}, numbers, clock });
      await clock.advanceUntil(sender.run(new AbortController().signal));
    }
    await sleep(50);
    for (const octets of capture.keys.flatMap(splitDatagram)) {
      const { kind, service } = parseKeyMessage(octets);
      if (kind === KIND.service) grants.set(service, octets);
    }
  } finally {
    await rm(store, { recursive: true });
  }
  const module = new DecodeModule(await card.channel());
  await module.select();
  for (const service of order) await module.loadKey(grants.get(service)!);
  const held = (await module.listKeys()).filter(({ kind }) => kind === KIND.service).map(({ service }) => service);
  expect(held.toSorted((a, b) => a - b)).toEqual([7, 8, 9]);
});
