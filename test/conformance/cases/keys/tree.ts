import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { combine, separate } from '../../../../apdu/decode-module/keys/combined-section.ts';
import { parseKeyList } from '../../../../apdu/decode-module/keys/key-list.ts';
import { type KeyMessage, sealKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { childNodes, type KeyTree, pathAbove } from '../../../../apdu/decode-module/keys/key-tree.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { KEY_MESSAGE_HEADER as KEY } from '../../../../apdu/layout/keys.ts';
import { concat } from '../../../../apdu/octets.ts';
import { CARD_KEYS, sealPart, END, makeFixedKey, sealAnew, SERVICE, START } from '../../messages/messages.ts';
import { makeFixedTree, sealTreeLeaf, sealSeedParts, sealUnderSlot } from '../../messages/purchase-messages.ts';
import type { Case, Tester } from '../../tester.ts';

const FREE = { kind: 'free' } as const;

async function loadAll(tester: Tester, messages: readonly KeyMessage[]): Promise<void> {
  for (const { octets } of messages) await tester.loadKey(octets);
}

function content(tree: KeyTree, slot = 3): Uint8Array {
  return sealUnderSlot(slot, { epoch: tree.epoch, epochKey: tree.epochKey }, FREE);
}

function node(
  id: number,
  child: number,
  version: number,
  childKey: Uint8Array,
  service = SERVICE,
  name = `node ${id}.${version}`,
): Uint8Array {
  const header = {
    kind: KIND.node,
    service,
    keyId: id,
    from: START,
    to: END,
    number: version,
    parentKind: KIND.node,
    parentId: child,
  } as const;
  return sealKeyMessage(header, makeFixedKey(name), new Uint8Array(0), childKey).octets;
}

/** Those of an update that a card can use: under a node of its path that it holds. */
function usable(update: readonly KeyMessage[], leaf: number): KeyMessage[] {
  const path = new Set([leaf, ...pathAbove(leaf)]);
  return update.filter(({ keyId, parentId }) => path.has(keyId) && path.has(parentId));
}

export const treeCases: readonly Case[] = [
  {
    name: 'from a leaf to the root, and content of its epoch and no other',
    from: 'active',
    long: true,
    async run(tester) {
      const tree = makeFixedTree(10, 7);
      const place = tree.join();
      await tester.loadKey(sealSeedParts(1, 0, 8)[0]!);
      await tester.loadKey(sealTreeLeaf(2, place));
      const path = tree.path(place.leaf);
      expect(path).toHaveLength(10);
      await tester.loadKey(path[1]!.octets, STATUS.UNKNOWN_KEY);
      await loadAll(tester, path);
      await tester.loadKey(content(tree));
      await tester.open();
      await tester.decode(sealPart(1));
      const { epochKey } = tree;
      await tester.loadKey(sealUnderSlot(3, { epoch: 6, epochKey }, FREE), STATUS.UNKNOWN_KEY);
      await tester.loadKey(sealUnderSlot(3, { epoch: 8, epochKey }, FREE), STATUS.UNKNOWN_KEY);
      await tester.loadKey(sealUnderSlot(3, { epoch: 7, epochKey: new Uint8Array(16) }, FREE), STATUS.CRYPTO);
      await tester.loadKey(sealUnderSlot(3, {}, FREE));
      await tester.reset();
      await tester.select();
      await tester.loadKey(content(tree));
    },
  },
  {
    name: 'an eviction: the others go on with the combined update, the evicted one does not',
    from: 'active',
    long: true,
    async run(tester) {
      const tree = makeFixedTree(3);
      const mine = tree.join();
      const others = Array.from({ length: 20 }, () => tree.join());
      await tester.loadKey(sealSeedParts(1, 0, 8)[0]!);
      await tester.loadKey(sealTreeLeaf(2, mine));
      await loadAll(tester, tree.path(mine.leaf));
      await tester.loadKey(content(tree));

      const first = tree.evict([others[18]!.leaf]);
      await tester.loadKey(content(tree), STATUS.UNKNOWN_KEY);
      expect(separate(combine(first))).toEqual(first.map(({ octets }) => octets));
      for (const { octets } of first) {
        const forMe = usable(first, mine.leaf).some((message) => message.octets === octets);
        await tester.loadKey(octets, forMe ? STATUS.DONE : STATUS.UNKNOWN_KEY);
      }
      await tester.loadKey(content(tree));
      await tester.open();
      await tester.decode(sealPart(1));

      const second = tree.evict([mine.leaf]);
      // It holds its own path still, but not with the keys that the update is under.
      const held = pathAbove(mine.leaf);
      for (const { octets, parentId } of second)
        await tester.loadKey(octets, held.includes(parentId) ? STATUS.CRYPTO : STATUS.UNKNOWN_KEY);
      await tester.loadKey(content(tree), STATUS.UNKNOWN_KEY);
    },
  },
  {
    name: 'back after two epochs: healed with as many nodes as the tree is deep',
    from: 'active',
    long: true,
    async run(tester) {
      const tree = makeFixedTree(10);
      const places = Array.from({ length: 6 }, () => tree.join());
      const mine = places[0]!;
      await tester.loadKey(sealSeedParts(1, 0, 8)[0]!);
      await tester.loadKey(sealTreeLeaf(2, mine));
      await loadAll(tester, tree.path(mine.leaf));
      tree.evict([places[1]!.leaf]);
      const second = tree.evict([places[4]!.leaf, places[5]!.leaf]);
      // Of the last update alone it can use nothing: its own path was renewed, and the renewal before it missed.
      for (const { octets } of usable(second, mine.leaf)) await tester.loadKey(octets, STATUS.CRYPTO);
      const heal = tree.path(mine.leaf);
      expect(heal).toHaveLength(10);
      await loadAll(tester, heal);
      await tester.loadKey(content(tree));
      await tester.open();
      await tester.decode(sealPart(1));
    },
  },
  {
    name: 'a node only rises in version; one with the same version again changes nothing',
    from: 'active',
    async run(tester) {
      const place = { leaf: 2, key: makeFixedKey('leaf 2') };
      await tester.loadKey(sealTreeLeaf(1, place));
      await tester.loadKey(node(1, 2, 5, place.key));
      await tester.loadKey(node(1, 2, 4, place.key), STATUS.OLD_NUMBER);
      await tester.loadKey(node(1, 2, 5, place.key));
      await tester.loadKey(node(1, 2, 2 ** 32 - 1, place.key));
      await tester.loadKey(node(1, 2, 6, place.key), STATUS.OLD_NUMBER);
      expect(parseKeyList(await tester.send(INS.LIST_KEYS))).toEqual([
        { kind: KIND.node, parentKind: KIND.unique, service: SERVICE, keyId: 2, from: 0, to: 0xffff_ffff },
        { kind: KIND.node, parentKind: KIND.node, service: SERVICE, keyId: 1, from: 2 ** 32 - 1, to: 0xffff_ffff },
      ]);
      await tester.deleteKey(KIND.node, SERVICE, 1);
      await tester.deleteKey(KIND.node, SERVICE, 1, STATUS.UNKNOWN_KEY);
      await tester.loadKey(node(1, 2, 1, place.key));
    },
  },
  {
    name: 'a node of the version that is here changes nothing, whatever its key; a deleted one is gone over a reset too',
    from: 'active',
    long: true,
    async run(tester) {
      const place = { leaf: 2, key: makeFixedKey('leaf 2') };
      await tester.loadKey(sealTreeLeaf(1, place));
      await tester.loadKey(node(1, 2, 5, place.key));
      await tester.loadKey(sealSeedParts(2, 0, 8)[0]!);
      await tester.loadKey(node(1, 2, 5, place.key, SERVICE, 'another key'));
      const under = (name: string) => sealUnderSlot(3, { epoch: 5, epochKey: makeFixedKey(name) }, FREE);
      await tester.loadKey(under('another key'), STATUS.CRYPTO);
      await tester.loadKey(under('node 1.5'));
      await tester.deleteKey(KIND.node, SERVICE, 1);
      await tester.reset();
      await tester.select();
      await tester.deleteKey(KIND.node, SERVICE, 1, STATUS.UNKNOWN_KEY);
      await tester.loadKey(under('node 1.5'), STATUS.UNKNOWN_KEY);
    },
  },
  {
    name: 'a node under one that is not its child: 940D',
    from: 'active',
    async run(tester) {
      let number = 1;
      const leaves = [1, 2, 5, 6, 9, 10, 0xffff_fffe, 0xffff_ffff];
      for (const leaf of leaves) await tester.loadKey(sealTreeLeaf(number++, { leaf, key: makeFixedKey('leaf') }));
      const parents = [1, 2, 3, 0x4000_0000, 0x3fff_ffff, 0, 7];
      for (const child of leaves) {
        for (const id of parents) {
          const fits = id !== 0 && childNodes(id).includes(child);
          const status = fits ? STATUS.DONE : id === 0 && child === 1 ? STATUS.BAD_FIELD : STATUS.WRONG_PARENT;
          await tester.loadKey(node(id, child, 1, makeFixedKey('leaf')), status);
          if (fits) {
            await tester.deleteKey(KIND.node, SERVICE, id);
            if (leaves.includes(id))
              await tester.loadKey(sealTreeLeaf(number++, { leaf: id, key: makeFixedKey('leaf') }));
          }
        }
      }
    },
  },
  {
    name: 'a node of version 1 and more supersedes a leaf, one of version 0 changes nothing; the leaf’s own message is 940B then',
    from: 'active',
    async run(tester) {
      const below = { leaf: 6, key: makeFixedKey('below') };
      const leaf = sealTreeLeaf(2, { leaf: 2, key: makeFixedKey('leaf 2') });
      await tester.loadKey(sealTreeLeaf(1, below));
      const confirm = await tester.loadKey(leaf);
      await tester.loadKey(node(2, 6, 0, below.key));
      expect(await tester.loadKey(leaf)).toEqual(confirm);
      await tester.loadKey(node(1, 2, 1, makeFixedKey('leaf 2')));
      await tester.loadKey(node(2, 6, 1, below.key));
      await tester.loadKey(leaf, STATUS.OLD_NUMBER);
      await tester.loadKey(node(1, 2, 2, makeFixedKey('leaf 2')), STATUS.CRYPTO);
      await tester.loadKey(node(1, 2, 2, makeFixedKey('node 2.1')));
      // A new leaf takes the place back, whatever the version.
      await tester.loadKey(sealTreeLeaf(3, { leaf: 2, key: makeFixedKey('leaf 2') }));
      expect(parseKeyList(await tester.send(INS.LIST_KEYS)).map(({ keyId, from }) => [keyId, from])).toEqual([
        [6, 0],
        [2, 0],
        [1, 2],
      ]);
    },
  },
  {
    name: 'a node whose from is not before its to: 6A80, though it has no validity',
    from: 'active',
    async run(tester) {
      const place = { leaf: 2, key: makeFixedKey('leaf 2') };
      const from = (message: Uint8Array, parentKey: Uint8Array, value: number): Uint8Array =>
        sealAnew(message, parentKey, (octets) => KEY.writeUint(octets, 'from', value));
      // A leaf goes on to the end of time.
      await tester.loadKey(from(sealTreeLeaf(1, place), CARD_KEYS.downlink, 0xffff_ffff), STATUS.BAD_FIELD);
      await tester.loadKey(sealTreeLeaf(1, place));
      const good = node(1, 2, 1, place.key);
      for (const value of [END, END + 1]) await tester.loadKey(from(good, place.key, value), STATUS.BAD_FIELD);
      await tester.loadKey(from(good, place.key, END - 1));
    },
  },
  {
    name: 'two services of a million members each: the path of both is on the card',
    from: 'active',
    long: true,
    async run(tester) {
      const trees = [7, 8].map((service) => {
        const tree = makeFixedTree(10, service, service);
        return { service, tree, place: tree.join() };
      });
      for (const { service, tree, place } of trees) {
        await tester.loadKey(sealTreeLeaf(service, place, service));
        await loadAll(tester, tree.path(place.leaf));
      }
      const ids = parseKeyList(
        concat(
          await tester.send(INS.LIST_KEYS, undefined, 0x61c8),
          await tester.command({ cla: 0, ins: INS.GET_RESPONSE, p1: 0, p2: 0, le: 256 }),
        ),
      ).map(({ service, keyId }) => [service, keyId]);
      expect(ids).toEqual(
        trees.flatMap(({ service, place }) => [place.leaf, ...pathAbove(place.leaf)].map((id) => [service, id])),
      );
      await tester.loadKey(sealSeedParts(10, 0, 8)[0]!);
      await tester.loadKey(content(trees[0]!.tree));
    },
  },
  {
    name: 'a leaf replaces what has its place; 24 nodes, then 6A84',
    from: 'active',
    async run(tester) {
      await tester.loadKey(sealTreeLeaf(1, { leaf: 6, key: makeFixedKey('one') }));
      await tester.loadKey(sealTreeLeaf(2, { leaf: 6, key: makeFixedKey('two') }));
      await tester.loadKey(sealTreeLeaf(1, { leaf: 6, key: makeFixedKey('one') }), STATUS.OLD_NUMBER);
      await tester.loadKey(node(2, 6, 3, makeFixedKey('one')), STATUS.CRYPTO);
      await tester.loadKey(node(2, 6, 3, makeFixedKey('two')));
      for (let i = 3; i <= 24; i++) await tester.loadKey(sealTreeLeaf(i, { leaf: 100 + i, key: makeFixedKey('x') }));
      await tester.loadKey(sealTreeLeaf(25, { leaf: 200, key: makeFixedKey('x') }), STATUS.NO_ROOM);
      await tester.loadKey(node(1, 2, 3, makeFixedKey('node 2.3')), STATUS.NO_ROOM);
      await tester.deleteKey(KIND.node, SERVICE, 103);
      await tester.loadKey(node(1, 2, 3, makeFixedKey('node 2.3')));
      await tester.loadKey(sealTreeLeaf(25, { leaf: 2, key: makeFixedKey('x') }));
    },
  },
];
