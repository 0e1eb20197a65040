import { afterAll, describe, expect, test } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { CardGoneError } from '../../../apdu/errors.ts';
import { startCard } from '../../../card-sim/index.ts';
import { openCard } from '../../../host/transport/card/card-address.ts';

const cards: AsyncDisposable[] = [];

afterAll(async () => {
  for (const card of cards) await card[Symbol.asyncDispose]();
});

// The applet on jCardSim, over TCP and over pcscd with vpcd.
describe.each(['jcardsim', 'pcsc'] as const)('%s', (kind) => {
  test('a card pulled and put back ends its channel, and a new channel works', async () => {
    const card = await startCard({ kind });
    cards.push(card);
    const wait = { wait: true, signal: AbortSignal.timeout(10_000) };
    const channel = await openCard(card.address, wait);
    const module = new DecodeModule(channel);
    expect((await module.select()).life).toBe('blank');
    await card.pull();
    await expect(module.select()).rejects.toThrow(CardGoneError);
    await card.insert();
    await expect(module.select()).rejects.toThrow(CardGoneError);
    const again = await openCard(card.address, wait);
    expect((await new DecodeModule(again).select()).life).toBe('blank');
    await expect(module.select()).rejects.toThrow(CardGoneError);
    await channel.close();
    expect((await new DecodeModule(again).select()).life).toBe('blank');
    await again.close();
  });

  test('a second client of a card in use is told so, and the first one goes on', async () => {
    await using card = await startCard({ kind });
    const channel = await openCard(card.address, { wait: true, signal: AbortSignal.timeout(10_000) });
    const module = new DecodeModule(channel);
    await module.select();
    await expect(openCard(card.address)).rejects.toMatchObject({
      exitStatus: 4,
      message: expect.stringMatching(/in use by another program|another program is using the card/) as unknown,
    });
    // A power-on by the second one would have made the module one that is not selected.
    expect(await module.getModuleData()).toMatchObject({ maxSpan: 208 });
    await channel.close();
    await (await openCard(card.address)).close();
  });

  test('150 channels one after the other', async () => {
    const card = await startCard({ kind });
    cards.push(card);
    for (let i = 0; i < 150; i++) {
      const channel = await openCard(card.address, { wait: true, signal: AbortSignal.timeout(10_000) });
      expect((await new DecodeModule(channel).select()).life).toBe('blank');
      await channel.close();
    }
  });
});
