import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startHeadend } from '../../../support/headend/headend-fixture.ts';
import { readGroup } from '../../../support/headend/recording.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { sourceOf } from '../../../support/streams/test-sender.ts';

/** bit/s, and seconds that are looked at. */
const RATE = 200_000;
const LENGTH = 20;
/** ms between two looks. */
const STEP = 50;

test('what is sold by the clock has its media time, so that who joins now opens what is sent now', async () => {
  // A stream begins late in a second, and its first packet comes after its keys.
  const clock = new SimulatedClock(Date.UTC(2026, 11, 24, 20) + 900);
  await using capture = await ServiceCapture.start();
  const address = `${capture.address}:${capture.port}`;
  const session = { name: 'main', source: 'memory', format: 'data', rate: RATE, address };
  const service = { number: 7, name: 'Harbour', price: { content: { price: 'free' } }, sessions: [session] };
  const openSource = async () => sourceOf([randomBytes((RATE / 8) * LENGTH)]);
  await using fixture = await startHeadend([service], { clock, openSource });
  await using stopping = { [Symbol.asyncDispose]: () => clock.advanceUntil(fixture.stop()) };
  while (!fixture.log.some(({ msg }) => msg === 'a stream begins')) await turn();
  const late: number[] = [];
  let seen = 0;
  for (let time = 0; time < LENGTH * 1000; time += STEP) {
    await clock.advance(STEP);
    for (let i = 0; i < 3; i++) await turn();
    for (; seen < capture.media.length; seen++) {
      const packet = capture.media[seen]!;
      const isCardPacket = (packet.at(-4)! & 0x80) !== 0;
      // To a step before, it was the second before.
      if (isCardPacket) late.push(Math.floor((clock.now() - STEP) / 1000) - readGroup(packet).mediaTime);
    }
  }
  expect(late.length).toBeGreaterThan(50);
  expect(Math.max(...late)).toBe(0);
  expect(stopping).toBeDefined();
});
