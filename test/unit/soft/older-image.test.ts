import { expect, it } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { concat } from '../../../apdu/octets.ts';
import { ADDED_TO_KEY_MEMORY } from '../../../card-sim/soft/keys/key-memory.ts';
import { CARD_IMAGE } from '../../../card-sim/soft/memory/card-image.ts';
import { SoftCard } from '../../../card-sim/soft/soft-card.ts';
import {
  KEYS,
  makeFixedKey,
  PROFILE,
  sealContent,
  sealPart,
  sealSegment,
  sealService,
  SERVICE,
  signOrder,
} from '../../conformance/messages/messages.ts';
import { sealSeedParts, sealTreeLeaf, sealUnderSlot } from '../../conformance/messages/purchase-messages.ts';
import { activate } from '../../support/cards/activate.ts';

function channelOf(card: SoftCard): CardChannel {
  const atr = card.powerOn();
  return { atr, transmit: async (command) => card.transmit(command), close: async () => undefined };
}

/** What version 1 kept of a card: no more than 12 tree nodes, and no list of the segments paid. */
function asVersion1(image: Uint8Array): Uint8Array {
  let older = image;
  for (const { at, length } of ADDED_TO_KEY_MEMORY.toReversed()) {
    const from = CARD_IMAGE.at.keyMemory + at;
    older = concat(older.subarray(0, from), older.subarray(from + length));
  }
  older[5] = 1;
  return older;
}

const FLAT = { kind: 'flat', price: 1_000_000n } as const;

async function resume(card: SoftCard, segmentId = 100): Promise<DecodeModule> {
  const module = new DecodeModule(channelOf(card));
  await module.select();
  await module.loadKey(sealSegment());
  await module.loadKey(sealContent({ ...FLAT, segmentId }));
  await module.openSession(SERVICE);
  return module;
}

it('a card of version 1 goes on with its keys, its money and the segment that it paid last', async () => {
  const before = new SoftCard();
  const channel = channelOf(before);
  const module = new DecodeModule(channel);
  await module.select();
  await activate(channel, PROFILE, KEYS);
  await module.loadCredit(signOrder(1, 10_000_000n));
  await module.loadKey(sealService(1));
  for (let leaf = 2; leaf <= 13; leaf++) await module.loadKey(sealTreeLeaf(leaf, { leaf, key: makeFixedKey('leaf') }));
  await module.loadKey(sealSeedParts(20, 0, 8)[0]!);
  const watching = await resume(before);
  await watching.decode(sealPart(1));
  await watching.closeSession();
  const keys = (await watching.listKeys()).slice(0, -2);

  const older = asVersion1(before.memory);
  expect(older.length).toBeLessThan(before.memory.length);
  const card = new SoftCard({ load: () => older, save: () => undefined });
  const again = await resume(card);
  expect((await again.listKeys()).slice(0, -2)).toEqual(keys);
  await again.decode(sealPart(2));
  expect(await again.getPurse()).toMatchObject({ spent: 1_000_000n, taken: 0n });
  await again.loadKey(sealUnderSlot(3, { keyId: 5001 }, { kind: 'free' }));
  await again.decode(sealPart(3, { contentKeyId: 5001 }));
  await again.loadKey(sealTreeLeaf(30, { leaf: 14, key: makeFixedKey('leaf') }));
  await (await resume(card, 101)).decode(sealPart(4));
  expect((await again.getPurse()).taken).toBe(1_000_000n);

  const other = new SoftCard();
  other.restore(older);
  expect(other.memory).toEqual(new SoftCard({ load: () => older, save: () => undefined }).memory);
});
