import { expect, test } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { combine } from '../../../apdu/decode-module/keys/combined-section.ts';
import { parseKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { concat, writeUint } from '../../../apdu/octets.ts';
import { startCard } from '../../../card-sim/index.ts';
import { KeyLoader } from '../../../host/bridge/keys/key-loader.ts';
import { content, segment, SERIAL, service } from '../../support/headend/announced-keys.ts';
import { Dice, SENDER, STRANGER } from '../../support/streams/flooded-bridge.ts';
import { personalise } from '../../support/streams/test-service.ts';

const dice = new Dice(3);
/** Octets from the parent id to the end of an entry, and where the entries of a section begin. */
const ENTRY = 28;
const ENTRIES_AT = 32;

/** A section of as many segment keys as fit, under service keys that nobody has. */
function makeForeignSection(): Uint8Array {
  const section = combine(Array.from({ length: 48 }, (_, i) => parseKeyMessage(segment(3, 100 + i))));
  for (let at = ENTRIES_AT; at < section.length; at += ENTRY) {
    writeUint(section, at, 4, 2 ** 31 + dice.next(2 ** 31));
    section.set(dice.octets(ENTRY - 4), at + 4);
  }
  return section;
}

/** A segment key under the service key that the card has, which nobody sealed. */
function forgeSegment(): Uint8Array {
  const forged = segment(4);
  forged.set(dice.octets(16), forged.length - 24);
  return forged;
}

async function start() {
  const card = await startCard({ kind: 'soft' });
  const cardId = await personalise(card, SERIAL, 0n);
  const drops: string[] = [];
  const loader = new KeyLoader({ onDrop: (reason) => drops.push(reason) });
  const module = new DecodeModule(await card.channel());
  await module.select();
  loader.reset(SERIAL, await module.listKeys());
  const loadAll = async (now: number) => {
    let loads = 0;
    for (let next = loader.next(); next !== undefined; next = loader.next(), loads++) {
      await loader.load(module, next, now);
    }
    return loads;
  };
  return { card, cardId, loader, module, loadAll, drops };
}

test('entries whose parent is not on the card never reach it, and keep no others from being loaded', async () => {
  const { card, cardId, loader, loadAll } = await start();
  for (let i = 0; i < 200; i++) loader.add(makeForeignSection(), 0, STRANGER);
  expect(await loadAll(0)).toBe(0);
  for (let i = 0; i < 200; i++) {
    loader.add(makeForeignSection(), 1, STRANGER);
    if (i === 100) loader.add(concat(service(cardId), segment(3), content(4, 3, 2)), 1, SENDER);
  }
  expect(await loadAll(1)).toBe(3);
  expect(loader.content(4, 2)).toBeDefined();
  await card.close();
});

test('a change of keys comes first at the card, whatever strangers forge', async () => {
  const { card, cardId, loader, module, loadAll } = await start();
  loader.add(concat(service(cardId), segment(3), content(4, 3, 2)), 0, SENDER);
  await loadAll(0);
  for (let i = 0; i < 200; i++) loader.add(forgeSegment(), 1000, STRANGER);
  loader.add(segment(5), 1000, SENDER);
  for (let i = 0; i < 200; i++) loader.add(forgeSegment(), 1000, STRANGER);
  const next = loader.next()!;
  expect(next.message.keyId).toBe(5);
  expect(await loader.load(module, next, 1000)).toBeUndefined();
  // While groups are opened, strangers have the card only as far as their share of it goes.
  expect(loader.next(false)).toBeUndefined();
  expect(loader.next()).toBeDefined();
  await card.close();
});

test('before the card took a key of anybody, each sender has its turn', async () => {
  const { card, cardId, loader, module } = await start();
  await module.loadKey(service(cardId));
  loader.reset(SERIAL, await module.listKeys());
  for (let i = 0; i < 200; i++) loader.add(forgeSegment(), 0, STRANGER);
  loader.add(segment(5), 0, SENDER);
  const turns: number[] = [];
  while (!turns.includes(SENDER)) {
    const next = loader.next()!;
    turns.push(next.sender.source);
    await loader.load(module, next, 0);
  }
  expect(turns.length).toBeLessThanOrEqual(2);
  await card.close();
});

test("what repeats goes before what is forged at the sender's own address", async () => {
  const { card, cardId, loader, module, loadAll } = await start();
  loader.add(service(cardId), 0, SENDER);
  await loadAll(0);
  for (let i = 0; i < 50; i++) loader.add(forgeSegment(), 0, SENDER);
  loader.add(segment(5), 0, SENDER);
  for (let i = 0; i < 50; i++) loader.add(forgeSegment(), 200, SENDER);
  loader.add(segment(5), 250, SENDER);
  const next = loader.next()!;
  expect(await loader.load(module, next, 250)).toBeUndefined();
  expect(next.message.keyId).toBe(5);
  await card.close();
});

test('a flood takes no room from the messages of others', async () => {
  const { card, cardId, loader, loadAll } = await start();
  loader.add(concat(segment(3), content(4, 3, 2)), 0, SENDER);
  for (let i = 0; i < 1000; i++) loader.add(forgeSegment(), 1, STRANGER);
  for (let i = 0; i < 1000; i++) loader.add(forgeSegment(), 1, STRANGER + 1 + i);
  // It came once, and is still there when its parent comes.
  loader.add(service(cardId), 2, SENDER);
  await loadAll(2);
  expect(loader.content(4, 2)).toBeDefined();
  await card.close();
});

test('a flood from ever new addresses, or from many that go on, leaves a place for a new sender', async () => {
  const { card, cardId, loader, loadAll } = await start();
  const keys = concat(service(cardId), segment(3), content(4, 3, 2));
  for (let now = 0; now < 3000; now += 10) {
    for (let i = 0; i < 40; i++) loader.add(forgeSegment(), now, STRANGER + i);
    loader.add(forgeSegment(), now, STRANGER + 1000 + now);
    if (now >= 1000 && now % 250 === 0) loader.add(keys, now, SENDER);
    await loadAll(now);
  }
  expect(loader.content(4, 2)).toBeDefined();
  await card.close();
});
