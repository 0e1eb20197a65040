import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { combine } from '../../../apdu/decode-module/keys/combined-section.ts';
import { encodeContentTerms } from '../../../apdu/decode-module/keys/content-terms.ts';
import { parseKeyMessage, sealKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { KeyTree, sealLeaf } from '../../../apdu/decode-module/keys/key-tree.ts';
import { coverSlots, deriveSeedKey, deriveSlotKeys } from '../../../apdu/decode-module/keys/marks.ts';
import { sealSeedPurchase } from '../../../apdu/decode-module/keys/seed-purchase.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { concat } from '../../../apdu/octets.ts';
import { startCard } from '../../../card-sim/index.ts';
import { KeyLoader } from '../../../host/bridge/keys/key-loader.ts';
import { deriveCeilings, sealGrant } from '../../../host/headend/keys/grants/grant.ts';
import { limitGroups } from '../../../host/headend/sender/sealing-profile.ts';
import { content, segment, SERIAL, service, SERVICE, TARIFF, VALID } from '../../support/headend/announced-keys.ts';
import { deriveTestCardKey, personalise, START } from '../../support/streams/test-service.ts';

async function startLoader() {
  const card = await startCard({ kind: 'soft' });
  const cardId = await personalise(card, SERIAL, 0n);
  const drops: string[] = [];
  const loader = new KeyLoader({ onDrop: (reason) => drops.push(reason) });
  const module = new DecodeModule(await card.channel());
  await module.select();
  await module.openSession(SERVICE);
  loader.reset(SERIAL);
  const loadAll = async (now: number) => {
    for (let next = loader.next(); next !== undefined; next = loader.next()) await loader.load(module, next, now);
  };
  const contents = async () =>
    (await module.listKeys()).filter(({ kind }) => kind === KIND.content).map(({ keyId }) => keyId);
  return { card, cardId, drops, loader, module, loadAll, contents };
}

test('loads parents before children, each once, whatever the order and the repetitions', async () => {
  const { card, cardId } = await startLoader();
  await card.close();
  const messages = [service(cardId), segment(3), content(4, 3, 2), content(5, 3, 2)];
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3, 0, 1, 2, 3], { minLength: 8 }), async (order) => {
      const { loader, loadAll, contents, card: fresh } = await startLoader();
      for (const [now, i] of order.entries()) {
        loader.add(messages[i]!, now);
        await loadAll(now);
      }
      expect((await contents()).toSorted((a, b) => a - b)).toEqual([4, 5]);
      expect(loader.content(4, 2)?.service).toBe(SERVICE);
      expect(loader.content(4, 4)).toBeUndefined();
      const { commands } = await fresh.counts();
      loader.add(concat(...messages), 100);
      await loadAll(100);
      expect((await fresh.counts()).commands).toBe(commands);
      await fresh.close();
    }),
    { numRuns: 25 },
  );
});

test('of a content key that another replaces under its own id, the one that the card has counts', async () => {
  const { card, cardId, loader, loadAll } = await startLoader();
  loader.add(concat(service(cardId), segment(3), content(4, 3, 2)), 0);
  await loadAll(0);
  loader.add(concat(segment(6), content(4, 6, 2, 1)), 1);
  await loadAll(1);
  expect(loader.content(4, 2)?.terms.masterSalt).toEqual(new Uint8Array(12).fill(1));
  // The old one is not taken back, however often it comes; two copies of one key are.
  loader.add(concat(content(4, 3, 2), content(4, 3, 2, 1)), 2);
  await loadAll(2);
  expect(loader.content(4, 2)?.terms.masterSalt).toEqual(new Uint8Array(12).fill(1));
  await card.close();
});

test('a recorded content message that comes only after its replacement does not displace that', async () => {
  const { card, cardId, drops, loader, module, loadAll } = await startLoader();
  const [older, newer] = [content(4, 3, 2), content(4, 6, 2, 1)];
  const saltInUse = () => loader.content(4, 2)?.terms.masterSalt;
  loader.add(concat(service(cardId), segment(3), segment(6), newer), 0);
  await loadAll(0);
  for (let now = 1; now < 1000; now += 300) {
    loader.add(older, now);
    await loadAll(now);
    expect(saltInUse()).toEqual(new Uint8Array(12).fill(1));
  }
  expect(new Set(drops)).toEqual(new Set(['keyReplayed']));
  // A card that lost its RAM takes both in any order, and ends with the one that holds.
  await card.reset();
  await module.select();
  await module.openSession(SERVICE);
  loader.reset(SERIAL, await module.listKeys());
  loader.add(concat(older, segment(3), segment(6), newer), 1000);
  await loadAll(1000);
  expect(saltInUse()).toEqual(new Uint8Array(12).fill(1));
  await card.close();
});

test('a purchase above what was accepted does not go to the card, whoever sends it by the key port', async () => {
  const { card, cardId, drops, module } = await startLoader();
  const [above, within] = [service(cardId, START + 1), service(cardId, START)];
  const loader = new KeyLoader({
    onDrop: (reason) => drops.push(reason),
    acceptsPurchase: (message) => parseKeyMessage(message).number === START,
  });
  loader.reset(SERIAL);
  const loadAll = async (now: number) => {
    for (let next = loader.next(); next !== undefined; next = loader.next()) await loader.load(module, next, now);
  };
  loader.add(concat(above, segment(3), content(4, 3, 2)), 0);
  await loadAll(0);
  // Nor after the card was selected anew.
  loader.reset(SERIAL);
  await loadAll(1);
  expect(await module.listKeys()).toEqual([]);
  expect(new Set(drops)).toEqual(new Set(['keyRefused']));
  loader.add(within, 2);
  await loadAll(2);
  expect(loader.content(4, 2)?.service).toBe(SERVICE);
  await card.close();
});

test('a flood of forged grants takes no more than every other turn from segment and content keys', async () => {
  const { card, cardId, loader, loadAll, module, contents } = await startLoader();
  const genuine = service(cardId);
  let forgeries = 0;
  const flood = (count: number) => {
    for (let i = 0; i < count; i++) {
      const forged = genuine.slice();
      forged.set(randomBytes(16), forged.length - 16);
      loader.add(forged, 0);
    }
  };
  loader.add(genuine, 0);
  await loadAll(0);
  loader.add(concat(segment(3), content(4, 3, 2)), 0);
  while (!(await contents()).includes(4) && forgeries < 50) {
    flood(8);
    const next = loader.next()!;
    if (next.message.kind === KIND.service) forgeries++;
    await loader.load(module, next, 0);
  }
  expect(forgeries).toBeLessThanOrEqual(2);
  await card.close();
});

test('keeps a bounded number of messages, and forgets those that the card holds last', async () => {
  const { cardId, drops, loader, loadAll, contents } = await startLoader();
  for (const message of [service(cardId), segment(1), content(10, 1, 2)]) loader.add(message, 0);
  await loadAll(0);
  for (let id = 1000; id < 1600; id++) {
    const forged = content(id, 1, 2);
    forged[40]! ^= 1;
    loader.add(forged, 1);
  }
  await loadAll(2);
  expect(drops.length).toBeLessThanOrEqual(256);
  expect(drops.length).toBeGreaterThan(200);
  expect(await contents()).toEqual([10]);
  expect(loader.content(10, 2)).toBeDefined();
});

test('loads no key before its parent when nothing is forged', async () => {
  const { card, cardId, loader, module } = await startLoader();
  loader.add(concat(content(4, 3, 2), content(5, 6, 2), segment(6), segment(3), service(cardId)), 0);
  for (let next = loader.next(); next !== undefined; next = loader.next()) {
    expect(await loader.load(module, next, 0)).toBeUndefined();
  }
  expect(loader.content(4, 2)).toBeDefined();
  await card.close();
});

test('a key that the sender no longer announces makes room for one that it does', async () => {
  const { cardId, loader, loadAll, contents } = await startLoader();
  loader.add(concat(service(cardId), segment(3), content(4, 3, 2), content(5, 3, 2)), 0);
  await loadAll(0);
  loader.add(content(5, 3, 2), 3000);
  loader.add(content(6, 3, 8), 3000);
  await loadAll(3000);
  expect((await contents()).toSorted((a, b) => a - b)).toEqual([5, 6]);
  expect(loader.content(4, 2)).toBeUndefined();
  expect(loader.content(6, 8)).toBeDefined();
});

test('while both keys on the card are announced a third one waits, and is tried again', async () => {
  const { cardId, loader, loadAll, contents, drops } = await startLoader();
  const all = [service(cardId), segment(3), content(4, 3, 2), content(5, 3, 2), content(6, 3, 8)];
  loader.add(concat(...all), 0);
  await loadAll(0);
  expect((await contents()).toSorted((a, b) => a - b)).toEqual([4, 5]);
  loader.add(content(5, 3, 2), 2500);
  loader.add(content(6, 3, 8), 2500);
  await loadAll(2500);
  expect((await contents()).toSorted((a, b) => a - b)).toEqual([5, 6]);
  expect(drops).toEqual([]);
});

test('a card that lost its keys in RAM gets them again', async () => {
  const { cardId, loader, loadAll, module, contents } = await startLoader();
  loader.add(concat(service(cardId), segment(3), content(4, 3, 2)), 0);
  await loadAll(0);
  await module.deleteKey(KIND.segment, SERVICE, 3);
  expect(await contents()).toEqual([]);
  expect(loader.loadAgain(4)).toBe(true);
  await loadAll(0);
  expect(await contents()).toEqual([4]);
});

test('a datagram that comes again and again counts as announced each time, and is read again when it has to be', async () => {
  const { card, cardId, drops, loader, module, loadAll, contents } = await startLoader();
  const all = concat(service(cardId), segment(3), content(4, 3, 2), content(5, 3, 2));
  for (let now = 0; now < 5000; now += 250) {
    loader.add(all, now, 7);
    await loadAll(now);
  }
  // A third content key finds no room: the other two are still announced.
  loader.add(concat(segment(3), content(6, 3, 2)), 5000, 7);
  await loadAll(5000);
  expect(await contents()).toEqual([4, 5]);
  // Of the datagram with one octet changed nothing is taken as known.
  const changed = all.slice();
  changed[changed.length - 1]! ^= 1;
  loader.add(changed, 5100, 7);
  await loadAll(5100);
  expect(drops).toContain('keyForged');
  // The card lost one of them.
  await module.deleteKey(KIND.content, SERVICE, 4);
  expect(loader.loadAgain(4)).toBe(true);
  loader.add(all, 5200, 7);
  await loadAll(5200);
  expect(await contents()).toContain(4);
  // It lost all of them.
  await card.reset();
  await module.select();
  await module.openSession(SERVICE);
  loader.reset(SERIAL, await module.listKeys());
  expect(loader.add(all, 5300, 7)).toBe(true);
  await loadAll(5300);
  expect(await contents()).toEqual([4, 5]);
  await card.close();
});

test('a card that loses a key again and again is not given it for ever', async () => {
  const { cardId, loader, loadAll, module } = await startLoader();
  loader.add(concat(service(cardId), segment(3), content(4, 3, 2)), 0);
  await loadAll(0);
  let tries = 0;
  for (; loader.loadAgain(4); tries++) {
    await module.deleteKey(KIND.content, SERVICE, 4).catch(() => undefined);
    await loadAll(0);
  }
  expect(tries).toBeLessThan(20);
});

test('grants for other cards are ignored, grants used before are counted', async () => {
  const { cardId, loader, loadAll, module, drops, card } = await startLoader();
  const { commands } = await card.counts();
  loader.add(sealGrant({ ...purchaseOf(2) }, otherCard(2), deriveTestCardKey('downlink', otherCard(2))).octets, 0);
  await loadAll(0);
  expect((await card.counts()).commands).toBe(commands);
  await module.loadKey(service(cardId, START + 40));
  loader.add(service(cardId, START), 0);
  await loadAll(0);
  expect(drops).toEqual(['keyReplayed']);
});

test('a damaged datagram is counted and never throws', () => {
  const drops: string[] = [];
  const loader = new KeyLoader({ onDrop: (reason) => drops.push(reason) });
  loader.reset(SERIAL);
  const genuine = concat(segment(3), content(4, 3, 2));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1500 }), fc.nat({ max: genuine.length }), fc.nat(), (octets, cut, at) => {
      loader.add(octets, 0);
      loader.add(genuine.subarray(0, cut), 0);
      loader.add(
        genuine.map((octet, i) => (i === at % genuine.length ? octet ^ 0xff : octet)),
        0,
      );
    }),
  );
  expect(drops.every((reason) => reason === 'keyMalformed')).toBe(true);
  expect(drops.length).toBeGreaterThan(50);
});

function purchaseOf(number: number) {
  const ceilings = deriveCeilings(TARIFF, limitGroups({ every: 10, closingTime: 1000 }), 1000n);
  return {
    service: SERVICE,
    keyId: 1,
    key: new Uint8Array(16).fill(5),
    from: START,
    to: START + 1000,
    number,
    ceilings,
  };
}

function otherCard(serial: number): Uint8Array {
  return Uint8Array.of(0x0a, 0x1b, 0x2c, 2, 0, 0, 0, serial);
}

test('a key whose parent is on the card from before, and is not announced, is loaded in a flood too', async () => {
  const { card, cardId, loader, module } = await startLoader();
  const genuine = service(cardId);
  await module.loadKey(genuine);
  loader.reset(SERIAL, await module.listKeys());
  loader.add(segment(3), 0);
  const told: number[] = [];
  while (!told.includes(KIND.segment) && told.length < 100) {
    for (let i = 0; i < 8; i++) {
      const forged = genuine.slice();
      forged.set(randomBytes(16), forged.length - 16);
      loader.add(forged, 0);
    }
    const next = loader.next()!;
    told.push(next.message.kind);
    await loader.load(module, next, 0);
  }
  expect((await module.listKeys()).map(({ kind }) => kind)).toContain(KIND.segment);
  await card.close();
});

test('content under a slot waits for seeds and key tree, which come in sections and in any order', async () => {
  const { card, cardId, loader, loadAll, contents, drops } = await startLoader();
  const root = new Uint8Array(16).fill(9);
  const ceilings = deriveCeilings(TARIFF, limitGroups({ every: 10, closingTime: 1000 }), 1000n);
  const bought = { service: SERVICE, keyId: 8, from: START, to: START + 1000, number: START, ceilings };
  const downlink = deriveTestCardKey('downlink', cardId);
  const seeds = sealSeedPurchase({ ...bought, labels: coverSlots(0, 9) }, root, SERIAL, downlink);
  const tree = new KeyTree(SERVICE, 3, 5, (octets) => new Uint8Array(randomBytes(octets)));
  const place = tree.join();
  const leaf = sealLeaf(SERVICE, place, START + 1, SERIAL, downlink);
  const sections = tree.path(place.leaf).map((message) => combine([message]));
  const terms = {
    tariff: TARIFF,
    classes: { card: true, soft: true },
    segmentId: 7,
    ssrcs: [2],
    masterSalt: new Uint8Array(12),
    epoch: tree.epoch,
  } as const;
  const header = { ...VALID, kind: KIND.content, keyId: 4, parentKind: KIND.slot, parentId: 7 } as const;
  const keys = deriveSlotKeys(SERVICE, 7, tree.epoch, deriveSeedKey(root, { level: 20, index: 7 }), tree.epochKey);
  const last = sealKeyMessage(header, new Uint8Array(16).fill(4), encodeContentTerms(terms), keys);

  loader.add(last.octets, 0);
  await loadAll(0);
  expect(await contents()).toEqual([]);
  const octets = [...sections.toReversed(), leaf.octets, ...seeds.map((message) => message.octets)];
  for (const [i, message] of octets.entries()) {
    loader.add(message, i);
    await loadAll(i);
  }
  loader.add(Uint8Array.of(KIND.combinedSection, 1, 0, 60), 100);
  expect(await contents()).toEqual([4]);
  expect(drops).toEqual(['keyMalformed']);
  await card.close();

  // All of it due at once, as after a card was inserted again: no command is wasted.
  const fresh = await startLoader();
  for (const message of [last.octets, ...octets]) fresh.loader.add(message, 0);
  for (let next = fresh.loader.next(); next !== undefined; next = fresh.loader.next()) {
    expect(await fresh.loader.load(fresh.module, next, 0)).toBeUndefined();
  }
  expect(await fresh.contents()).toEqual([4]);
  await fresh.card.close();
});
