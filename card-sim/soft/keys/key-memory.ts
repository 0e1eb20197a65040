import type { SeedLabel } from '../../../apdu/decode-module/keys/marks.ts';
import { layout } from '../../../apdu/layout/field-table.ts';
import { flag, opaque } from '../../../apdu/layout/field.ts';
import { SEED_LABEL, SEEDS_OF_PART } from '../../../apdu/layout/keys.ts';
import { u32 } from '../../../apdu/octets.ts';
import type { Change, Eeprom } from '../memory/eeprom.ts';
import {
  decodeNode,
  decodePurchase,
  encodeNode,
  encodePurchase,
  FIRST_SEEDS,
  type NewPurchase,
  NODE_LENGTH,
  NODES,
  type Purchase,
  PURCHASE_END_AT,
  PURCHASE_LENGTH,
  PURCHASES,
  SEED_PURCHASES,
  type TreeNode,
} from './keys.ts';
import { NumberWindow } from './number-window.ts';
import { paidLength, PaidSegments } from './paid-segments.ts';

const PARTS = 4;
/** A part of a seed purchase in persistent memory; this card's own way. */
const PART = layout('seed part', {
  isHere: flag(),
  labels: opaque(SEEDS_OF_PART * SEED_LABEL.length),
  keys: opaque(SEEDS_OF_PART * 16),
});
const SEEDS_LENGTH = PARTS * PART.length;

const WINDOW_LENGTH = 8;
const PURCHASES_AT = WINDOW_LENGTH;
const NODES_AT = PURCHASES_AT + PURCHASES * PURCHASE_LENGTH;
const SEEDS_AT = NODES_AT + NODES * NODE_LENGTH;

const PAID_AT = SEEDS_AT + SEED_PURCHASES * SEEDS_LENGTH;

/** Octets that it takes in the image. */
export const KEY_MEMORY_LENGTH = PAID_AT + paidLength(PURCHASES);

/** What version 1 of an image did not have: more nodes, and the segments paid. Zeros say that nothing is there. */
const NODES_OF_VERSION_1 = 12;
export const ADDED_TO_KEY_MEMORY: readonly { readonly at: number; readonly length: number }[] = [
  { at: NODES_AT + NODES_OF_VERSION_1 * NODE_LENGTH, length: (NODES - NODES_OF_VERSION_1) * NODE_LENGTH },
  { at: PAID_AT, length: paidLength(PURCHASES) },
];

/** A seed and its key. */
export interface StoredSeed extends SeedLabel {
  readonly key: Uint8Array;
}

/** The keys in persistent memory, and which message numbers are taken. */
export class KeyMemory {
  readonly #eeprom: Eeprom;
  readonly #at: number;
  #window: NumberWindow;
  readonly #purchases: (Purchase | undefined)[] = [];
  readonly #nodes: (TreeNode | undefined)[] = [];
  readonly #paid: PaidSegments;

  /** @param at where it begins in the image. */
  constructor(eeprom: Eeprom, at: number) {
    this.#eeprom = eeprom;
    this.#at = at;
    this.#window = NumberWindow.decode(this.#view(0, WINDOW_LENGTH));
    for (let place = 0; place < PURCHASES; place++) {
      this.#purchases.push(decodePurchase(this.#view(purchaseAt(place), PURCHASE_LENGTH)));
    }
    this.#paid = new PaidSegments(eeprom.image, at + PAID_AT, PURCHASES);
    for (let place = 0; place < NODES; place++) this.#nodes.push(decodeNode(this.#view(nodeAt(place), NODE_LENGTH)));
  }

  #view(at: number, length: number): Uint8Array {
    return this.#eeprom.image.subarray(this.#at + at, this.#at + at + length);
  }

  #write(...changes: readonly Change[]): void {
    this.#eeprom.write(...this.#place(...changes));
  }

  /** Changes of this memory as the image has them. */
  #place(...changes: readonly Change[]): Change[] {
    return changes.map(({ at, octets }) => ({ at: this.#at + at, octets }));
  }

  get window(): NumberWindow {
    return this.#window;
  }

  /** By place: service and segment keys, then pairs, then seed purchases. */
  get purchases(): readonly (Purchase | undefined)[] {
    return this.#purchases;
  }

  get nodes(): readonly (TreeNode | undefined)[] {
    return this.#nodes;
  }

  /** Writes a key or private half and takes its number, as one. @returns what has left the place. */
  writePurchase(place: number, purchase: NewPurchase, key: Uint8Array): Purchase | undefined {
    const octets = encodePurchase(purchase, key);
    const window = this.#window.take(purchase.number);
    this.#eeprom.write(
      ...this.#paid.takePlace(place, purchase.service),
      ...this.#place({ at: purchaseAt(place), octets }, { at: 0, octets: window.encode() }),
    );
    this.#window = window;
    const before = this.#purchases[place];
    this.#purchases[place] = decodePurchase(octets);
    return before;
  }

  hasPart(place: number, part: number): boolean {
    return PART.readUint(this.#view(partAt(place, part), PART.length), 'isHere') === 1;
  }

  /** Writes a part of seeds, and the purchase if it is new, and takes their number, as one. */
  writePart(place: number, purchase: NewPurchase, part: number, labels: Uint8Array, keys: Uint8Array): void {
    const window = this.#window.take((purchase.number + part) >>> 0);
    const changes: Change[] = [
      { at: partAt(place, part), octets: PART.encode({ isHere: true, labels, keys }) },
      { at: 0, octets: window.encode() },
    ];
    const isNew = this.#purchases[place] === undefined;
    const entry = encodePurchase(purchase, new Uint8Array(0));
    if (isNew) changes.push({ at: purchaseAt(place), octets: entry });
    this.#eeprom.write(...this.#paid.takePlace(place, purchase.service), ...this.#place(...changes));
    this.#window = window;
    if (isNew) this.#purchases[place] = decodePurchase(entry);
  }

  /** The seeds of those parts of a purchase that have come. */
  *seeds(place: number): Generator<StoredSeed> {
    for (let part = 0; part < PARTS; part++) {
      if (!this.hasPart(place, part)) continue;
      const { labels, keys } = PART.decode(this.#view(partAt(place, part), PART.length));
      for (let i = 0; i < SEEDS_OF_PART; i++) {
        yield { ...SEED_LABEL.read(labels, SEED_LABEL.length * i), key: keys.slice(16 * i, 16 * (i + 1)) };
      }
    }
  }

  /**
   * Ends a purchase earlier. Takes all numbers up to its last, so that no older message or late part brings it back.
   */
  lowerEnd(place: number, to: number): void {
    const purchase = this.#purchases[place]!;
    const window = this.#window.takeAll((purchase.number + purchase.lastPart) >>> 0);
    if (to === purchase.to && window.equals(this.#window)) return;
    this.#write({ at: purchaseAt(place) + PURCHASE_END_AT, octets: u32(to) }, { at: 0, octets: window.encode() });
    this.#window = window;
    purchase.to = to;
  }

  deletePurchase(place: number): void {
    const changes: Change[] = [{ at: purchaseAt(place), octets: new Uint8Array(PURCHASE_LENGTH) }];
    if (place >= FIRST_SEEDS) changes.push({ at: partAt(place, 0), octets: new Uint8Array(SEEDS_LENGTH) });
    this.#write(...changes);
    this.#purchases[place] = undefined;
  }

  /** Whether the flat price of a segment is paid (protocol 7.3). */
  isPaid(service: number, segment: number): boolean {
    return this.#paid.has(service, segment);
  }

  /** Notes a segment as paid through a purchase. @returns what has to be written with the record. */
  addPaid(purchase: Purchase, segment: number): Change {
    return this.#paid.add(this.#purchases.indexOf(purchase), purchase.service, segment);
  }

  /** Writes a tree node; of a leaf it takes the number too, as one. */
  writeNode(place: number, node: TreeNode, isLeaf: boolean): void {
    const changes: Change[] = [{ at: nodeAt(place), octets: encodeNode(node) }];
    const window = isLeaf ? this.#window.take(node.number) : this.#window;
    if (isLeaf) changes.push({ at: 0, octets: window.encode() });
    this.#write(...changes);
    this.#window = window;
    this.#nodes[place] = node;
  }

  deleteNode(place: number): void {
    this.#write({ at: nodeAt(place), octets: new Uint8Array(NODE_LENGTH) });
    this.#nodes[place] = undefined;
  }
}

function purchaseAt(place: number): number {
  return PURCHASES_AT + place * PURCHASE_LENGTH;
}

function nodeAt(place: number): number {
  return NODES_AT + place * NODE_LENGTH;
}

function partAt(place: number, part: number): number {
  return SEEDS_AT + (place - FIRST_SEEDS) * SEEDS_LENGTH + part * PART.length;
}
