import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { CardGoneError, TransportError } from '../../../apdu/errors.ts';
import { CARD_KINDS, startCard } from '../../../card-sim/index.ts';
import { cardTest } from '../../../card-sim/vitest.ts';
import { KEYS, signOrder, PROFILE } from '../../conformance/messages/messages.ts';
import { activate } from '../../support/cards/activate.ts';

describe.each(CARD_KINDS)('a started card: %s', (kind) => {
  const test = cardTest(kind);

  test('is blank, and has the address of its kind', async ({ card }) => {
    expect(card.kind).toBe(kind);
    expect(card.address).toMatch(
      { soft: /^soft$/, jcardsim: /^tcp:127\.0\.0\.1:\d+$/, pcsc: /^pcsc:Virtual PCD 00 0\d$/ }[kind],
    );
    const channel = await card.channel();
    expect((await new DecodeModule(channel).select()).life).toBe('blank');
    await channel.close();
  });

  test('ends its channel for good when pulled, and keeps its memory when inserted again', async ({ card }) => {
    const channel = await card.channel();
    const module = new DecodeModule(channel);
    await module.select();
    await activate(channel, PROFILE, KEYS);
    await card.pull();
    await expect(module.select()).rejects.toThrow(CardGoneError);
    await card.insert();
    const again = await card.channel();
    await expect(module.select()).rejects.toThrow(CardGoneError);
    expect((await new DecodeModule(again).select()).life).toBe('active');
    await again.close();
    await channel.close();
  });

  test('loses its power at the point asked for', async ({ card }) => {
    let channel = await card.channel();
    let module = new DecodeModule(channel);
    await module.select();
    await activate(channel, PROFILE, KEYS);
    for (const [point, loaded] of [
      [0, 0n],
      ['afterLast', 5n],
    ] as const) {
      await card.cut(point);
      await expect(module.loadCredit(signOrder(1, 5n))).rejects.toThrow(CardGoneError);
      await channel.close();
      await card.insert();
      channel = await card.channel();
      module = new DecodeModule(channel);
      await module.select();
      expect((await module.getPurse()).loaded).toBe(loaded);
    }
    await channel.close();
  });

  test('counts, can be reset and erased', async ({ card }) => {
    const channel = await card.channel();
    const module = new DecodeModule(channel);
    await module.select();
    await activate(channel, PROFILE, KEYS);
    const { commands, persistentWrites } = await card.counts();
    await module.getPurse();
    expect(await card.counts()).toEqual({ commands: commands + 1, persistentWrites });
    await module.loadCredit(signOrder(1, 5n));
    expect((await card.counts()).persistentWrites).toBeGreaterThan(persistentWrites);
    await card.reset();
    await expect(module.getPurse()).rejects.toMatchObject({ code: 'NOT_SELECTED' });
    await card.erase();
    expect((await module.select()).life).toBe('blank');
    await channel.close();
  });

  it('keeps its state in a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'card-sim-'));
    try {
      const state = join(folder, 'card');
      for (const loaded of [0n, 7n]) {
        await using card = await startCard({ kind, state });
        const channel = await card.channel();
        const module = new DecodeModule(channel);
        if ((await module.select()).life === 'blank') {
          await activate(channel, PROFILE, KEYS);
        }
        expect((await module.getPurse()).loaded).toBe(loaded);
        await module.loadCredit(signOrder(1, 7n));
        await channel.close();
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

it('a soft card that was pulled cannot be opened', async () => {
  await using card = await startCard({ kind: 'soft' });
  await card.pull();
  await expect(card.channel()).rejects.toThrow(TransportError);
});

it('two cards run beside each other in one runner and two readers', async () => {
  await using first = await startCard({ kind: 'jcardsim' });
  await using second = await startCard({ kind: 'pcsc' });
  await using third = await startCard({ kind: 'pcsc' });
  expect(new Set([first.address, second.address, third.address]).size).toBe(3);
  await expect(startCard({ kind: 'pcsc' })).rejects.toMatchObject({ code: 'NO_FREE_READER' });
  const channels = await Promise.all([first.channel(), second.channel(), third.channel()]);
  await new DecodeModule(channels[1]).select();
  await activate(channels[1], PROFILE, KEYS);
  const lives = await Promise.all(channels.map(async (channel) => (await new DecodeModule(channel).select()).life));
  expect(lives).toEqual(['blank', 'active', 'blank']);
  await Promise.all(channels.map((channel) => channel.close()));
});
