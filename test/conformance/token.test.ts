import { afterAll, expect, it } from 'vitest';
import { startCard } from '../../card-sim/index.ts';
import { systemClock } from '../../host/clock/clock.ts';
import { openWebUsbToken } from '../../host/transport/card/webusb/webusb-token.ts';
import { replayVectors } from '../support/cards/replay-vectors.ts';
import { countTally } from '../support/tally.ts';
import { MemoryToken } from '../support/tokens/memory-token.ts';
import { MemoryUsbDevice } from '../support/tokens/memory-usb-device.ts';
import { CASES } from './cases/index.ts';

/** Where an applet is asked little, as the frames are the same. */
const OF_APPLET = ['commands', 'torn-sessions', 'decode'];

const passed = { soft: 0, jcardsim: 0 };

afterAll(() => {
  for (const kind of ['soft', 'jcardsim'] as const) {
    countTally('conformance', `${kind}, in a token without a wire`, passed[kind], 'cases');
  }
});

it.each(Object.keys(CASES))('a card answers through frames as without them: %s', async (topic) => {
  await using card = await startCard({ kind: 'soft' });
  const token = new MemoryToken(card, systemClock);
  const count = await replayVectors({ card, open: () => token.open(), topics: [topic] });
  expect(count).toBeGreaterThan(0);
  passed.soft += count;
});

it('a card answers by a USB interface as by itself', async () => {
  await using card = await startCard({ kind: 'soft' });
  const token = new MemoryUsbDevice({ card, clock: systemClock });
  const count = await replayVectors({ card, open: () => openWebUsbToken(token), topics: OF_APPLET });
  expect(count).toBeGreaterThan(20);
});

it('the applet answers through frames as without them', async () => {
  await using card = await startCard({ kind: 'jcardsim' });
  const token = new MemoryToken(card, systemClock);
  passed.jcardsim = await replayVectors({ card, open: () => token.open(), topics: OF_APPLET });
  expect(passed.jcardsim).toBeGreaterThan(20);
}, 60_000);
