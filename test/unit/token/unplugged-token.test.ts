import { expect, test } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { startCard } from '../../../card-sim/index.ts';
import { openWebUsbToken } from '../../../host/transport/card/webusb/webusb-token.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { chargeThroughUnplugs, fillPurse } from '../../support/tokens/charge-through-unplugs.ts';
import { expectChargedOnce } from '../../support/tokens/expect-charged-once.ts';
import { MemoryToken } from '../../support/tokens/memory-token.ts';
import { MemoryUsbDevice } from '../../support/tokens/memory-usb-device.ts';

/** Steps of the program between two pulls, at most: some groups' worth. */
const MAX_STEPS = 200;

test.each(['hid', 'usb'] as const)(
  'pulled 100 times between a group and its answer, a token by %s charges once',
  async (way) => {
    await using card = await startCard({ kind: 'soft' });
    const clock = new SimulatedClock();
    let token: { open(): Promise<CardChannel>; pull(): void } | undefined;
    const plugIn = (): Promise<CardChannel> => {
      if (way === 'hid') token = new MemoryToken(card, clock);
      else {
        const device = new MemoryUsbDevice({ card, clock });
        token = { open: () => openWebUsbToken(device, clock), pull: () => device.pull() };
      }
      return token.open();
    };
    const channel = await plugIn();
    await fillPurse(channel);
    await channel.close();
    const outcome = await chargeThroughUnplugs({
      unplugs: 100,
      plugIn,
      unplug: async (turn) => {
        for (let step = (turn * 7) % MAX_STEPS; step > 0; step--) await Promise.resolve();
        token?.pull();
      },
    });
    expectChargedOnce(outcome, 100);
    expect(outcome.answered).toBeGreaterThan(100);
  },
);
