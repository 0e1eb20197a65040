import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sentCardPartLength, wholeCardPart } from '../../apdu/decode-module/card-part.ts';
import { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import type { Tariff } from '../../apdu/decode-module/tariff.ts';
import { readUint } from '../../apdu/octets.ts';
import { type SimulatedCard, startCard } from '../../card-sim/index.ts';
import { ServiceSender } from '../../host/headend/index.ts';
import { splitDatagram } from '../support/keys-by-hand.ts';
import { ServiceCapture } from '../support/service-capture.ts';
import { cardKey, personalise } from '../support/test-service.ts';

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

test.each<[string, Tariff, bigint]>([
  ['0.25 a megabyte', { kind: 'octets', price: 250_000n }, 250_000n],
  ['3.60 an hour', { kind: 'duration', price: 3_600_000n }, 100_000n],
  ['1.50 a segment', { kind: 'flat', price: 1_500_000n }, 3_000_000n],
  ['nothing', { kind: 'free', price: 0n }, 0n],
])(
  'a card with keys, ceilings and quantum as sent opens all of it, over 2 segments and 5 keys, for %s',
  async (_name, tariff, amount) => {
    const cardId = await personalise(card, 77, 10_000_000n);
    const sender = new ServiceSender({
      source: {
        lag: () => 0,
        async *[Symbol.asyncIterator]() {
          yield SOURCE;
        },
      },
      format: 'data',
      rate: RATE,
      to: { address: capture.address, port: capture.port, keyPort: capture.port + 2, interface: '127.0.0.1', ttl: 1 },
      service: SERVICE,
      mode: 'sealed',
      span: 64,
      every: 5,
      packing: 7,
      closingTime: 1000,
      terms: { tariff, classes: { card: true, soft: true } },
      cards: [cardId],
      downlinkKey: (id) => cardKey('downlink', id),
      granted: 86_400,
      period: 20,
      segment: 60,
      // Keys are 7 s ahead of their use: 70 ms.
      speed: 100,
      lead: 100,
    });
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
        const part = payload.subarray(0, sentCardPartLength(payload));
        const group = readUint(octets, octets.length - 4, 4) - 0x80000000;
        await module.decode(wholeCardPart(part, sender.ssrc, group));
        opened += 1;
      }
    }
    expect(opened).toBe(sender.totals.groups);
    const receipt = await module.closeSession();
    expect(receipt?.amount ?? 0n).toBe(amount);
    if (amount > 0n) expect(receipt).toMatchObject({ octets: SOURCE.length, duration: 100_000, groups: opened });
  },
);
