import { hash } from 'node:crypto';
import { FormatError } from '../../../apdu/errors.ts';
import { layout } from '../../../apdu/layout/field-table.ts';
import { opaque, reserved, u16, u32, u48 } from '../../../apdu/layout/field.ts';
import { isImage } from './card-image.ts';
import type { Change } from './eeprom.ts';

/** "TCSF", version 3: the first octets of a soft card's file. Its changes are written in place. */
const MAGIC = Uint8Array.of(0x54, 0x43, 0x53, 0x46, 0x00, 0x03);
const NAME = 4;
const VERSION_AT = 4;
const SHA_256 = 32;
const CHAIN = 16;

/** Records that the ring holds, and after how many the image is written anew: the other half is never needed then. */
const PLACES = 64;
const CHECKPOINT = PLACES / 2;
/** Octets of a place. It has each record twice, in sectors of their own, so that damage to one loses nothing. */
const COPY = 512;
const PLACE = 2 * COPY;

const HEADER = layout('soft card file', {
  magic: opaque(MAGIC.length),
  spare: reserved(2),
  imageLength: u32(),
  digest: opaque(SHA_256),
});
/** The whole card behind a record. There are two, written by turns. */
const IMAGE = layout('soft card image', { sequence: u48(), chain: opaque(CHAIN), digest: opaque(SHA_256) });
/** One atomic write of the card. */
const RECORD = layout('soft card record', {
  digest: opaque(SHA_256),
  sequence: u48(),
  /** The newest record that was on the disk for certain when this one was written. */
  durable: u48(),
  /** Of the digest of the record before, so that none left over from another history follows it. */
  chain: opaque(CHAIN),
  length: u16(),
});
const CHANGE = layout('change', { at: u32(), length: u16() });

/** Octets to write at a place of the file. */
export interface FileWrite {
  readonly at: number;
  readonly octets: Uint8Array;
}

interface ReadRecord {
  readonly sequence: number;
  readonly durable: number;
  readonly chain: Uint8Array;
  readonly next: Uint8Array;
  readonly changes: readonly Change[];
}

/**
 * The form of a soft card's file: two whole images, and a ring of the changes since. It makes what is to be written and
 * understands what is found; it writes nothing itself.
 */
export class StateRing {
  readonly #imageLength: number;
  /** Of the newest record. */
  #sequence: number;
  #chain: Uint8Array;
  /** Sequence of the newest image, and which of the two it is. */
  #imageAt: number;
  #imageSlot: number;
  #durable: number;

  private constructor(
    imageLength: number,
    newest: { sequence: number; chain: Uint8Array; imageAt: number; slot: number },
  ) {
    this.#imageLength = imageLength;
    this.#sequence = newest.sequence;
    this.#durable = newest.sequence;
    this.#chain = newest.chain;
    this.#imageAt = newest.imageAt;
    this.#imageSlot = newest.slot;
  }

  /**
   * Makes a new file.
   * @param start 16 octets that no other file begins with.
   */
  static make(image: Uint8Array, start: Uint8Array): { readonly ring: StateRing; readonly octets: Uint8Array } {
    const ring = new StateRing(image.length, { sequence: 0, chain: start, imageAt: 0, slot: 0 });
    const octets = new Uint8Array(ringFrom(image.length) + PLACES * PLACE);
    octets.set(MAGIC);
    HEADER.writeUint(octets, 'imageLength', image.length);
    octets.set(digestOf(octets.subarray(0, HEADER.at.digest)), HEADER.at.digest);
    for (const slot of [0, 1]) octets.set(ring.#encodeImage(image), imageFrom(image.length, slot));
    return { ring, octets };
  }

  /** Whether octets begin as a file of this form does, of this version or a newer one. */
  static isOne(octets: Uint8Array): boolean {
    return MAGIC.subarray(0, NAME).every((octet, at) => octets[at] === octet) && versionOf(octets) >= versionOf(MAGIC);
  }

  /** @throws FormatError when the file is damaged beyond what it holds twice, or of a newer version. */
  static read(file: Uint8Array): { readonly ring: StateRing; readonly image: Uint8Array } {
    // A copy, and no Buffer, whose `slice` copies nothing.
    const octets = new Uint8Array(file);
    if (versionOf(octets) > versionOf(MAGIC)) {
      throw new FormatError('it was written by a newer tollcast; use that one');
    }
    const imageLength = readHeader(octets);
    const images = [0, 1].flatMap((slot) => readImage(octets, imageLength, slot) ?? []);
    const newest = images.toSorted((a, b) => b.sequence - a.sequence)[0];
    if (newest === undefined) throw damaged();
    const records = Array.from({ length: PLACES }, (_, place) => readRecord(octets, imageLength, place));
    let sequence = newest.sequence;
    let chain: Uint8Array = newest.chain;
    for (;;) {
      const record = records[(sequence + 1) % PLACES];
      if (record?.sequence !== sequence + 1 || !isSame(record.chain, chain)) break;
      for (const { at, octets: changed } of record.changes) newest.image.set(changed, at);
      sequence++;
      chain = record.next;
    }
    // What was never on the disk for certain may be missing after a power cut, and nothing else.
    if (records.some((record) => record !== undefined && record.durable > sequence)) throw damaged();
    const ring = new StateRing(imageLength, { sequence, chain, imageAt: newest.sequence, slot: newest.slot });
    return { ring, image: newest.image };
  }

  /** Newest record. */
  get sequence(): number {
    return this.#sequence;
  }

  /** All records up to this one are on the disk. */
  markDurable(sequence: number): void {
    this.#durable = Math.max(this.#durable, sequence);
  }

  /** Whether the disk has to have everything before the next record may be written: else it could miss what it needs. */
  get mustSync(): boolean {
    return this.#sequence + 1 - this.#durable >= CHECKPOINT;
  }

  /**
   * Makes the next record, and now and then the image with it.
   * @param image with the changes.
   * @returns undefined when the changes are too long for a record, or the image has another length.
   */
  next(image: Uint8Array, changes: readonly Change[]): readonly FileWrite[] | undefined {
    const length = changes.reduce((sum, { octets }) => sum + CHANGE.length + octets.length, 0);
    if (RECORD.length + length > COPY || image.length !== this.#imageLength) return undefined;
    const record = this.#encodeRecord(changes, length);
    const octets = new Uint8Array(PLACE);
    octets.set(record);
    octets.set(record, COPY);
    this.#sequence++;
    this.#chain = chainOf(record);
    const writes = [{ at: placeFrom(this.#imageLength, this.#sequence % PLACES), octets }];
    if (this.#sequence - this.#imageAt < CHECKPOINT) return writes;
    this.#imageAt = this.#sequence;
    this.#imageSlot = 1 - this.#imageSlot;
    return [...writes, { at: imageFrom(this.#imageLength, this.#imageSlot), octets: this.#encodeImage(image) }];
  }

  #encodeRecord(changes: readonly Change[], length: number): Uint8Array {
    const record = new Uint8Array(RECORD.length + length);
    RECORD.writeUint(record, 'sequence', this.#sequence + 1);
    RECORD.writeUint(record, 'durable', this.#durable);
    RECORD.writeUint(record, 'length', length);
    record.set(this.#chain, RECORD.at.chain);
    let end = RECORD.length;
    for (const { at, octets } of changes) {
      CHANGE.writeUints(record, { at, length: octets.length }, end);
      record.set(octets, end + CHANGE.length);
      end += CHANGE.length + octets.length;
    }
    record.set(digestOf(record.subarray(SHA_256)), RECORD.at.digest);
    return record;
  }

  #encodeImage(image: Uint8Array): Uint8Array {
    const octets = new Uint8Array(IMAGE.length + image.length);
    IMAGE.writeUint(octets, 'sequence', this.#sequence);
    octets.set(this.#chain, IMAGE.at.chain);
    octets.set(image, IMAGE.length);
    octets.set(digestOfImage(octets), IMAGE.at.digest);
    return octets;
  }
}

function readHeader(octets: Uint8Array): number {
  const digest = digestOf(octets.subarray(0, HEADER.at.digest));
  if (octets.length < HEADER.length || !isSame(HEADER.view(octets, 'digest'), digest)) throw damaged();
  const imageLength = HEADER.readUint(octets, 'imageLength');
  if (octets.length !== ringFrom(imageLength) + PLACES * PLACE) throw damaged();
  return imageLength;
}

function readImage(octets: Uint8Array, imageLength: number, slot: number) {
  const from = imageFrom(imageLength, slot);
  const whole = octets.subarray(from, from + IMAGE.length + imageLength);
  const image = whole.slice(IMAGE.length);
  if (!isSame(IMAGE.view(whole, 'digest'), digestOfImage(whole)) || !isImage(image)) return undefined;
  return { slot, image, sequence: IMAGE.readUint(whole, 'sequence'), chain: IMAGE.view(whole, 'chain').slice() };
}

/** The record in a place, from the first of its copies that is whole. */
function readRecord(octets: Uint8Array, imageLength: number, place: number): ReadRecord | undefined {
  const from = placeFrom(imageLength, place);
  for (const at of [from, from + COPY]) {
    const copy = octets.subarray(at, at + COPY);
    const length = RECORD.length + RECORD.readUint(copy, 'length');
    if (length > COPY || !isSame(RECORD.view(copy, 'digest'), digestOf(copy.subarray(SHA_256, length)))) continue;
    return {
      sequence: RECORD.readUint(copy, 'sequence'),
      durable: RECORD.readUint(copy, 'durable'),
      chain: RECORD.view(copy, 'chain'),
      next: chainOf(copy),
      changes: [...readChanges(copy.subarray(RECORD.length, length))],
    };
  }
  return undefined;
}

function* readChanges(octets: Uint8Array): Generator<Change> {
  for (let at = 0; at < octets.length;) {
    const end = at + CHANGE.length + CHANGE.readUint(octets, 'length', at);
    yield { at: CHANGE.readUint(octets, 'at', at), octets: octets.subarray(at + CHANGE.length, end) };
    at = end;
  }
}

function imageFrom(imageLength: number, slot: number): number {
  return COPY * (1 + slot * sectorsOf(imageLength));
}

function placeFrom(imageLength: number, place: number): number {
  return ringFrom(imageLength) + place * PLACE;
}

function ringFrom(imageLength: number): number {
  return imageFrom(imageLength, 2);
}

function sectorsOf(imageLength: number): number {
  return Math.ceil((IMAGE.length + imageLength) / COPY);
}

function versionOf(octets: Uint8Array): number {
  return (octets[VERSION_AT]! << 8) | octets[VERSION_AT + 1]!;
}

function chainOf(record: Uint8Array): Uint8Array {
  return record.slice(0, CHAIN);
}

function digestOfImage(whole: Uint8Array): Uint8Array {
  const octets = whole.slice();
  octets.fill(0, IMAGE.at.digest, IMAGE.length);
  return digestOf(octets);
}

function digestOf(octets: Uint8Array): Uint8Array {
  return hash('sha256', octets, 'buffer');
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, at) => octet === b[at]);
}

function damaged(): FormatError {
  return new FormatError('it is damaged: its checksums are not those of its content');
}
