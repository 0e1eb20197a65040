import { FormatError, OutOfRangeError } from '../errors.ts';

/** One BER-TLV data object (ISO/IEC 7816-4 6.3, ISO/IEC 8825-1). */
export interface Tlv {
  /** Tag octets read as one big-endian number, 1 to 3 octets: 0x6F, 0x9F65. */
  readonly tag: number;
  /** The value field. For a constructed object: its children's octets, or nothing when `encodeTlv` is to make them. */
  readonly value: Uint8Array;
  /** The objects inside, where the tag says it is constructed. */
  readonly children?: readonly Tlv[];
}

export interface TlvBounds {
  /** Deepest nesting; 16 if left out. */
  readonly maxDepth?: number;
  /** Most data objects in all; 1,024 if left out. */
  readonly maxObjects?: number;
  /** Most octets; 65,536 if left out. */
  readonly maxOctets?: number;
}

/**
 * Reads a list of BER-TLV objects that fills the octets exactly; values are views, not copies.
 * @throws FormatError for tags over 3 octets, indefinite or over-long lengths, padding, or anything beyond the bounds.
 */
export function parseTlv(octets: Uint8Array, bounds: TlvBounds = {}): Tlv[] {
  const { maxDepth = 16, maxObjects = 1_024, maxOctets = 65_536 } = bounds;
  if (octets.length > maxOctets)
    throw new FormatError(`BER-TLV of ${octets.length} octets; at most ${maxOctets} are read`);
  let objects = 0;

  function parseRow(start: number, end: number, depth: number): Tlv[] {
    if (depth > maxDepth) throw new FormatError(`BER-TLV nested deeper than ${maxDepth}`);
    const row: Tlv[] = [];
    let at = start;
    while (at < end) {
      if (++objects > maxObjects) throw new FormatError(`BER-TLV of more than ${maxObjects} objects`);
      const tag = readTag(octets, at, end);
      const length = readLength(octets, at + tag.size, end);
      const from = at + tag.size + length.size;
      const to = from + length.value;
      if (to > end)
        throw new FormatError(`BER-TLV object at octet ${at} claims ${length.value} octets, ${end - from} are left`);
      const value = octets.subarray(from, to);
      row.push(
        tag.constructed
          ? { tag: tag.value, value, children: parseRow(from, to, depth + 1) }
          : { tag: tag.value, value },
      );
      at = to;
    }
    return row;
  }

  return parseRow(0, octets.length, 1);
}

/** Like `parseTlv`, but gives undefined where the octets are not BER-TLV. It is for showing octets of unknown kind. */
export function tryParseTlv(octets: Uint8Array, bounds?: TlvBounds): Tlv[] | undefined {
  if (octets.length === 0) return undefined;
  try {
    return parseTlv(octets, bounds);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** Finds the first object with this tag; it does not look inside other objects. */
export function findTlv(objects: readonly Tlv[], tag: number): Tlv | undefined {
  return objects.find((object) => object.tag === tag);
}

/**
 * Writes one object with the shortest length field. A constructed object is made of its children if it has any, else of
 * its value.
 * @throws OutOfRangeError for a number that is not a tag, or a value of 16 MiB and more.
 */
export function encodeTlv(object: Tlv): Uint8Array {
  const tag = encodeTag(object.tag);
  const inside = object.children === undefined ? [object.value] : object.children.map(encodeTlv);
  let length = 0;
  for (const part of inside) length += part.length;
  const field = encodeLength(length);
  const octets = new Uint8Array(tag.length + field.length + length);
  octets.set(tag);
  octets.set(field, tag.length);
  let at = tag.length + field.length;
  for (const part of inside) {
    octets.set(part, at);
    at += part.length;
  }
  return octets;
}

/** ISO/IEC 7816-4 6.3.2: one octet, or 1F in the low bits and up to two more, the last without bit 8. */
function readTag(octets: Uint8Array, at: number, end: number): { value: number; size: number; constructed: boolean } {
  const first = octets[at]!;
  const constructed = (first & 0x20) !== 0;
  if (first === 0x00 || first === 0xff) throw new FormatError(`octet ${at} is padding, not a BER-TLV tag`);
  if ((first & 0x1f) !== 0x1f) return { value: first, size: 1, constructed };
  if (at + 1 >= end) throw new FormatError('BER-TLV tag cut short');
  const second = octets[at + 1]!;
  // 00 and 80 are empty numbers; 01..1E have a shorter spelling, but BF0C is in every payment card's FCI.
  if ((second & 0x7f) === 0) throw new FormatError(`BER-TLV tag at octet ${at} has no number`);
  if ((second & 0x80) === 0) return { value: (first << 8) | second, size: 2, constructed };
  if (at + 2 >= end) throw new FormatError('BER-TLV tag cut short');
  const third = octets[at + 2]!;
  if ((third & 0x80) !== 0) throw new FormatError(`BER-TLV tag at octet ${at} is longer than 3 octets`);
  return { value: (first << 16) | (second << 8) | third, size: 3, constructed };
}

/** ISO/IEC 7816-4 6.3.3: one octet to 7F, or 81..84 and that many; longer than needed is allowed. */
function readLength(octets: Uint8Array, at: number, end: number): { value: number; size: number } {
  if (at >= end) throw new FormatError('BER-TLV object without a length');
  const first = octets[at]!;
  if (first < 0x80) return { value: first, size: 1 };
  const more = first & 0x7f;
  if (more === 0 || more > 4)
    throw new FormatError(`BER-TLV length octet ${first.toString(16)} at octet ${at} is not allowed`);
  if (at + 1 + more > end) throw new FormatError('BER-TLV length cut short');
  let value = 0;
  for (let i = 1; i <= more; i++) value = value * 256 + octets[at + i]!;
  return { value, size: 1 + more };
}

function encodeTag(tag: number): Uint8Array {
  const octets =
    tag > 0xffff
      ? Uint8Array.of(tag >>> 16, tag >>> 8, tag)
      : tag > 0xff
        ? Uint8Array.of(tag >>> 8, tag)
        : Uint8Array.of(tag);
  let size = 0;
  try {
    size = Number.isInteger(tag) && tag > 0 && tag <= 0xffffff ? readTag(octets, 0, octets.length).size : 0;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
  if (size !== octets.length) {
    throw new OutOfRangeError(`${tag.toString(16).toUpperCase()} is not a BER-TLV tag of 1 to 3 octets`);
  }
  return octets;
}

function encodeLength(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  if (length <= 0xff) return Uint8Array.of(0x81, length);
  if (length <= 0xffff) return Uint8Array.of(0x82, length >>> 8, length);
  if (length <= 0xffffff) return Uint8Array.of(0x83, length >>> 16, length >>> 8, length);
  throw new OutOfRangeError(`a BER-TLV value of ${length} octets is too long; at most 16777215`);
}
