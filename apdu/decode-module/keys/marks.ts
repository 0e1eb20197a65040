import { sha256 } from '@noble/hashes/sha2.js';
import { OutOfRangeError } from '../../errors.ts';
import type { Values } from '../../layout/field-table.ts';
import { type SEED_LABEL, SLOT_NAME } from '../../layout/keys.ts';
import { concat } from '../../octets.ts';
import { KIND } from '../kinds.ts';
import { type WorkingKeys, workingKeysOf } from '../working-keys.ts';

/** Levels of the tree of slots below its root; `firmware-notes/protocol.md` 4.6. */
export const SLOT_DEPTH = 20;
/** Slots of a service. */
export const SLOTS = 2 ** SLOT_DEPTH;
/** Seeds that one purchase can have. */
export const MAX_SEEDS = 32;

const KEY_LENGTH = 16;

/** A node of the seed tree: it covers 2^(20-level) slots from index x 2^(20-level) on. */
export interface SeedLabel extends Values<typeof SEED_LABEL> {}

/** Slots [from, to) and the least seeds that reach them all and no other. */
export interface SlotRange {
  readonly from: number;
  readonly to: number;
  readonly labels: readonly SeedLabel[];
}

/** Derives child 0 (left) or 1 (right) of a node's key, 16 octets. */
function deriveChild(key: Uint8Array, side: number): Uint8Array {
  return sha256(concat(Uint8Array.of(side), key)).slice(0, KEY_LENGTH);
}

/**
 * Derives the key of a node of the tree from one above it.
 * @param key of `above`, 16 octets; the root's is the operator's.
 * @throws OutOfRangeError when the node is not in the tree, or not below `above`.
 */
export function deriveSeedKey(key: Uint8Array, { level, index }: SeedLabel, above: SeedLabel = ROOT): Uint8Array {
  const steps = level - above.level;
  const inTree = Number.isInteger(index) && level <= SLOT_DEPTH && index >= 0 && index < 2 ** level;
  if (steps < 0 || !inTree || Math.floor(index / 2 ** steps) !== above.index) {
    throw new OutOfRangeError(
      `node ${index} of level ${level} is not below node ${above.index} of level ${above.level}`,
    );
  }
  let node = key;
  for (let bit = steps - 1; bit >= 0; bit--) node = deriveChild(node, Math.floor(index / 2 ** bit) % 2);
  return node;
}

const ROOT: SeedLabel = { level: 0, index: 0 };

/**
 * Finds the least nodes that cover slots [from, to), in order: at most 38.
 * @throws OutOfRangeError unless 0 <= from < to <= 2^20.
 */
export function coverSlots(from: number, to: number): SeedLabel[] {
  if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || from >= to || to > SLOTS) {
    throw new OutOfRangeError(`slots ${from} to ${to} are not a range within 0 and ${SLOTS}`);
  }
  const labels: SeedLabel[] = [];
  for (let at = from; at < to;) {
    let size = 1;
    while (at % (2 * size) === 0 && at + 2 * size <= to) size *= 2;
    labels.push({ level: SLOT_DEPTH - Math.log2(size), index: at / size });
    at += size;
  }
  return labels;
}

/**
 * Splits slots [from, to) into purchases of at most 32 seeds each: mostly one, never more than two.
 * @throws OutOfRangeError unless 0 <= from < to <= 2^20.
 */
export function splitSlots(from: number, to: number): SlotRange[] {
  const all = coverSlots(from, to);
  const ranges: SlotRange[] = [];
  for (let first = 0; first < all.length; first += MAX_SEEDS) {
    const labels = all.slice(first, first + MAX_SEEDS);
    const end = all[first + MAX_SEEDS];
    ranges.push({ from: firstSlot(labels[0]!), to: end === undefined ? to : firstSlot(end), labels });
  }
  return ranges;
}

function firstSlot({ level, index }: SeedLabel): number {
  return index * 2 ** (SLOT_DEPTH - level);
}

/**
 * Derives the working keys of a slot.
 * @param epoch 0, or the version of the key tree's root.
 * @param leaf of the slot, 16 octets.
 * @param epochKey of the root, 16 octets; not looked at when the epoch is 0.
 */
export function deriveSlotKeys(
  service: number,
  slot: number,
  epoch: number,
  leaf: Uint8Array,
  epochKey: Uint8Array,
): WorkingKeys {
  const name = SLOT_NAME.encode({ kind: KIND.slot, service, slot, epoch });
  return workingKeysOf(name, leaf, epoch === 0 ? new Uint8Array(KEY_LENGTH) : epochKey);
}
