import { expect } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { completeCardPart, readCardPartLength } from '../../../apdu/decode-module/packets/card-part.ts';
import { cardTest } from '../../../card-sim/vitest.ts';
import { chooseQuantum } from '../../../host/headend/keys/grants/quantum.ts';
import { RTP_HEADER } from '../../../host/stream/packet/rtp-packet.ts';
import { personalise, TestService } from '../../support/streams/test-service.ts';

const test = cardTest('soft');
const CREDIT = 400_000_000n;
const TARIFF = { kind: 'octets', price: 250_000n } as const;
const GROUP = 100 * 1316;
/** Micro-units that a group of 131,600 octets costs. */
const GROUP_CHARGE = 32_900n;

test('ten minutes of 5 Mbit/s at $0.25/MB write a record each 2.1 MB, and a cut costs less than $0.5579', async ({
  card,
}) => {
  const quantum = chooseQuantum(TARIFF);
  const cardId = await personalise(card, 1, CREDIT);
  const service = new TestService({ cards: [cardId], mode: 'open', every: 100, tariff: TARIFF, quantum });
  const module = new DecodeModule(await card.channel());
  await module.select();
  for (const message of service.keys()) await module.loadKey(message);
  await module.openSession(7);
  const before = await module.getPurse();
  const payloads = Array.from({ length: 100 }, () => new Uint8Array(1316));
  const groups = Math.floor(375_000_000 / GROUP);
  for (let i = 0; i < groups; i++) {
    const [group] = service.seal(payloads);
    const { octets } = group!.packets[0]!;
    const part = octets.subarray(RTP_HEADER, RTP_HEADER + readCardPartLength(octets.subarray(RTP_HEADER)));
    await module.decode(completeCardPart(part, service.ssrc, group!.header.group));
  }
  const after = await module.getPurse();
  // 64 places of 500,000 writes each are 1,095 records an hour for ten years of 8 hours a day.
  expect(after.sequence - before.sequence).toBe(Math.ceil((groups * GROUP) / 2_100_000));
  expect(6 * (after.sequence - before.sequence)).toBeLessThanOrEqual(1095);

  await card.pull();
  await card.insert();
  const again = new DecodeModule(await card.channel());
  await again.select();
  const { torn } = await again.getPurse();
  expect(torn).toBeGreaterThan(0n);
  expect(torn).toBeLessThan(quantum + GROUP_CHARGE);
});
