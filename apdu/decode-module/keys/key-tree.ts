import { OutOfRangeError } from '../../errors.ts';
import { KIND } from '../kinds.ts';
import { type KeyMessage, sealKeyMessage } from './key-message.ts';

/** Children of a node. */
const DEGREE = 4;
/** The node whose key is the epoch key. */
export const ROOT_NODE = 1;
/** Most levels below the root; a card has room for its part of two such trees. */
const MAX_DEPTH = 10;
const FOR_EVER = 0xffff_ffff;

/** The node above one; of the root 0. */
export function parentNode(node: number): number {
  return Math.floor((node + 2) / DEGREE);
}

/** The four nodes below one, in order. */
export function childNodes(node: number): number[] {
  return [4 * node - 2, 4 * node - 1, 4 * node, 4 * node + 1];
}

/** Nodes above one, from its parent to the root. */
export function pathAbove(node: number): number[] {
  const path: number[] = [];
  for (let at = parentNode(node); at >= ROOT_NODE; at = parentNode(at)) path.push(at);
  return path;
}

/** A node with somebody at or below it. */
interface HeldNode {
  key: Uint8Array;
  version: number;
  /** Leaves in use at or below it. */
  leaves: number;
}

/**
 * The operator's side of a key tree (LKH); `firmware-notes/protocol.md` 4.7. Every card in the tree has the root's key,
 * which is the epoch key. A card that is evicted has none of the keys that come after.
 */
export class KeyTree {
  readonly #service: number;
  readonly #firstLeaf: number;
  readonly #lastLeaf: number;
  readonly #random: (octets: number) => Uint8Array;
  readonly #nodes = new Map<number, HeldNode>();
  #epoch: number;

  /**
   * @param depth levels below the root, 1 to 10: room for 4^depth leaves.
   * @param epoch 1 to 2^32 - 1, of the first root.
   * @param random gives as many octets as it is asked for, unpredictable.
   * @throws OutOfRangeError when depth or epoch do not fit.
   */
  constructor(service: number, depth: number, epoch: number, random: (octets: number) => Uint8Array) {
    if (!Number.isInteger(depth) || depth < 1 || depth > MAX_DEPTH) {
      throw new OutOfRangeError(`a key tree has 1 to ${MAX_DEPTH} levels, not ${depth}`);
    }
    if (!Number.isInteger(epoch) || epoch < 1 || epoch > 0xffff_ffff) {
      throw new OutOfRangeError(`an epoch lies within 1 and 4294967295, not ${epoch}`);
    }
    this.#service = service;
    this.#epoch = epoch;
    this.#random = random;
    let first = ROOT_NODE;
    let last = ROOT_NODE;
    for (let level = 0; level < depth; level++) {
      first = DEGREE * first - 2;
      last = DEGREE * last + 1;
    }
    this.#firstLeaf = first;
    this.#lastLeaf = last;
    this.#nodes.set(ROOT_NODE, { key: random(16), version: epoch, leaves: 0 });
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Key of the root, 16 octets. */
  get epochKey(): Uint8Array {
    return this.#nodes.get(ROOT_NODE)!.key;
  }

  /**
   * Puts a card on the first free leaf. No other card needs a message for that.
   * @returns node id of the leaf, and its key for the card's leaf message.
   * @throws OutOfRangeError when the tree is full.
   */
  join(): { readonly leaf: number; readonly key: Uint8Array } {
    for (let leaf = this.#firstLeaf; leaf <= this.#lastLeaf; leaf++) {
      if (this.#nodes.has(leaf)) continue;
      const key = this.#random(16);
      this.#nodes.set(leaf, { key, version: 0, leaves: 1 });
      for (const node of pathAbove(leaf)) {
        const held = this.#nodes.get(node) ?? { key: this.#random(16), version: this.#epoch, leaves: 0 };
        held.leaves++;
        this.#nodes.set(node, held);
      }
      return { leaf, key };
    }
    throw new OutOfRangeError('every leaf of this key tree is in use; make a deeper tree');
  }

  /**
   * The messages that bring one leaf up to the present epoch, each under the one before it. There are as many as the
   * tree has levels.
   */
  path(leaf: number): KeyMessage[] {
    let child = leaf;
    return pathAbove(leaf).map((node) => {
      const message = this.#message(node, child);
      child = node;
      return message;
    });
  }

  /**
   * Begins the next epoch without these leaves.
   * @returns the messages that bring all others there, those under the lowest nodes first.
   * @throws OutOfRangeError when one of them is not in use.
   */
  evict(leaves: readonly number[]): KeyMessage[] {
    const changed = new Set<number>();
    for (const leaf of leaves) {
      if (leaf < this.#firstLeaf || !this.#nodes.delete(leaf)) {
        throw new OutOfRangeError(`leaf ${leaf} is not in use; name leaves that join gave out`);
      }
      for (const node of pathAbove(leaf)) {
        this.#nodes.get(node)!.leaves--;
        changed.add(node);
      }
    }
    changed.add(ROOT_NODE);
    this.#epoch++;
    // Children have higher ids than their parents.
    const lowestFirst = [...changed].toSorted((a, b) => b - a);
    for (const node of lowestFirst) {
      const held = this.#nodes.get(node)!;
      if (held.leaves === 0 && node !== ROOT_NODE) this.#nodes.delete(node);
      held.key = this.#random(16);
      held.version = this.#epoch;
    }
    return lowestFirst.flatMap((node) =>
      this.#nodes.has(node)
        ? childNodes(node)
            .filter((child) => this.#nodes.has(child))
            .map((child) => this.#message(node, child))
        : [],
    );
  }

  #message(node: number, child: number): KeyMessage {
    const { key, version } = this.#nodes.get(node)!;
    const header = {
      kind: KIND.node,
      service: this.#service,
      keyId: node,
      from: 0,
      to: FOR_EVER,
      number: version,
      parentKind: KIND.node,
      parentId: child,
    } as const;
    return sealKeyMessage(header, key, new Uint8Array(0), this.#nodes.get(child)!.key);
  }
}

/**
 * Makes the message that puts one card on its leaf.
 * @param number of the message, higher than that of any earlier one to this card.
 * @param serial of the card.
 * @param downlinkKey of the card, 16 octets.
 */
export function sealLeaf(
  service: number,
  { leaf, key }: { readonly leaf: number; readonly key: Uint8Array },
  number: number,
  serial: number,
  downlinkKey: Uint8Array,
): KeyMessage {
  const header = {
    kind: KIND.node,
    service,
    keyId: leaf,
    from: 0,
    to: FOR_EVER,
    number,
    parentKind: KIND.unique,
    parentId: serial,
  } as const;
  return sealKeyMessage(header, key, new Uint8Array(0), downlinkKey);
}
