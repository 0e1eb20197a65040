import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AesCbc } from '../../../../apdu/decode-module/keys/aes-cbc.ts';
import { type KeyMessage, deriveParentKeys } from '../../../../apdu/decode-module/keys/key-message.ts';
import { childNodes, KeyTree, parentNode, pathAbove, ROOT_NODE } from '../../../../apdu/decode-module/keys/key-tree.ts';
import { OutOfRangeError } from '../../../../apdu/errors.ts';

const random = (octets: number) => new Uint8Array(randomBytes(octets));

/** What a card does with node messages, keys alone. */
class Member {
  readonly keys = new Map<number, { key: Uint8Array; version: number }>();

  constructor(leaf: number, key: Uint8Array) {
    this.keys.set(leaf, { key, version: 0 });
  }

  take(messages: readonly KeyMessage[]): void {
    for (const message of messages) {
      const parent = this.keys.get(message.parentId);
      if (parent === undefined || message.number <= (this.keys.get(message.keyId)?.version ?? -1)) continue;
      const pair = deriveParentKeys(message, parent.key);
      const mac = new AesCbc(pair.mac).mac(message.octets.subarray(0, -8)).subarray(0, 8);
      if (Buffer.compare(mac, message.octets.subarray(-8)) !== 0) continue;
      const key = new AesCbc(pair.encryption).decrypt(message.octets.subarray(32, 48));
      this.keys.set(message.keyId, { key, version: message.number });
    }
  }

  get root() {
    return this.keys.get(ROOT_NODE);
  }
}

test('a node knows its parent and its children', () => {
  expect(childNodes(1)).toEqual([2, 3, 4, 5]);
  expect(childNodes(2)).toEqual([6, 7, 8, 9]);
  expect(parentNode(ROOT_NODE)).toBe(0);
  for (let node = 1; node < 2000; node++) for (const child of childNodes(node)) expect(parentNode(child)).toBe(node);
  expect(pathAbove(9)).toEqual([2, 1]);
});

test('members follow every epoch, evicted cards none after theirs, and a path brings back who missed some', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.tuple(fc.constantFrom('join', 'evict', 'miss'), fc.nat()), { maxLength: 40 }),
      (depth, steps) => {
        const tree = new KeyTree(7, depth, 1, random);
        const members = new Map<number, Member>();
        const evicted: Member[] = [];
        const away = new Set<number>();
        for (const [step, choice] of steps) {
          const leaves = [...members.keys()];
          const chosen = leaves[choice % Math.max(1, leaves.length)];
          if (step === 'join' && members.size < 4 ** depth) {
            const { leaf, key } = tree.join();
            const member = new Member(leaf, key);
            member.take(tree.path(leaf));
            members.set(leaf, member);
          } else if (step === 'miss' && chosen !== undefined) {
            away.add(chosen);
          } else if (step === 'evict' && chosen !== undefined) {
            evicted.push(members.get(chosen)!);
            members.delete(chosen);
            away.delete(chosen);
            const update = tree.evict([chosen]);
            expect(update.length).toBeLessThanOrEqual(4 * depth);
            for (const [leaf, member] of members) if (!away.has(leaf)) member.take(update);
            for (const member of evicted) member.take(update);
          }
        }
        for (const leaf of away) {
          const path = tree.path(leaf);
          expect(path).toHaveLength(depth);
          members.get(leaf)!.take(path);
        }
        for (const member of members.values()) expect(member.root).toEqual({ key: tree.epochKey, version: tree.epoch });
        for (const member of evicted) expect(member.root?.key).not.toEqual(tree.epochKey);
      },
    ),
    { numRuns: 60 },
  );
});

test('a card that was evicted and joins again follows, also where it still has an old key of a node above it', () => {
  const tree = new KeyTree(7, 2, 1, random);
  const first = tree.join();
  const card = new Member(first.leaf, first.key);
  card.take(tree.path(first.leaf));
  tree.evict([first.leaf]);
  const again = tree.join();
  expect(again.leaf).toBe(first.leaf);
  expect(again.key).not.toEqual(first.key);
  card.keys.set(again.leaf, { key: again.key, version: 0 });
  card.take(tree.path(again.leaf));
  expect(card.root).toEqual({ key: tree.epochKey, version: 2 });
});

test('an epoch that nobody leaves at has a root of its own', () => {
  const tree = new KeyTree(7, 2, 1, random);
  const { leaf, key } = tree.join();
  const card = new Member(leaf, key);
  card.take(tree.path(leaf));
  const before = tree.epochKey;
  card.take(tree.evict([]));
  expect(tree.epochKey).not.toEqual(before);
  expect(card.root).toEqual({ key: tree.epochKey, version: 2 });
});

test('a node with nobody left below needs no message', () => {
  const tree = new KeyTree(7, 2, 1, random);
  const leaves = Array.from({ length: 5 }, () => tree.join().leaf);
  const update = tree.evict([leaves[4]!]);
  expect(update.map(({ keyId, parentId }) => [keyId, parentId])).toEqual([[ROOT_NODE, 2]]);
});

test('a full tree, a leaf not in use and a depth that no card can hold are refused', () => {
  const tree = new KeyTree(7, 1, 1, randomBytes);
  const leaves = [tree.join(), tree.join(), tree.join(), tree.join()].map(({ leaf }) => leaf);
  expect(leaves).toEqual([2, 3, 4, 5]);
  expect(() => tree.join()).toThrow(OutOfRangeError);
  expect(() => tree.evict([6])).toThrow(OutOfRangeError);
  expect(() => tree.evict([ROOT_NODE])).toThrow(OutOfRangeError);
  tree.evict([3]);
  expect(tree.join().leaf).toBe(3);
  for (const depth of [0, 11, 1.5]) {
    expect(() => new KeyTree(7, depth, 1, randomBytes), `${depth}`).toThrow(OutOfRangeError);
  }
  expect(() => new KeyTree(7, 3, 0, randomBytes)).toThrow(OutOfRangeError);
});
