import { layout } from '../../../apdu/layout/field-table.ts';
import { opaque, reserved, u32, u8 } from '../../../apdu/layout/field.ts';
import { readUint, writeUint } from '../../../apdu/octets.ts';
import type { Change } from '../memory/eeprom.ts';

/** Segments that a place keeps. */
const MAX_PAID = 8;

/** What was paid through one place of a purchase; this card's own way. */
const PAID = layout('paid segments', {
  service: u32(),
  count: u8(),
  spare: reserved(3),
  /** The first one paid comes first. */
  segments: opaque(4 * MAX_PAID),
});

/** @param places of purchases. @returns octets that it takes in the image. */
export function paidLength(places: number): number {
  return places * PAID.length;
}

interface PaidList {
  readonly service: number;
  readonly segments: readonly number[];
}

/** The segments whose flat price is paid, by the place of the purchase that they were paid through (protocol 7.3). */
export class PaidSegments {
  readonly #at: number;
  readonly #lists: PaidList[];

  /**
   * @param image what the power found.
   * @param at where it begins in the image.
   */
  constructor(image: Uint8Array, at: number, places: number) {
    this.#at = at;
    this.#lists = Array.from({ length: places }, (_, place) => decodeList(image, at + place * PAID.length));
  }

  /** Whether a segment is paid in any place of its service. */
  has(service: number, segment: number): boolean {
    return this.#lists.some((list) => list.service === service && list.segments.includes(segment));
  }

  /** Notes a segment. @returns what has to be written. */
  add(place: number, service: number, segment: number): Change {
    return this.#replace(place, { service, segments: [...this.#lists[place]!.segments, segment].slice(-MAX_PAID) });
  }

  /** Before a purchase takes a place. @returns what has to be written where another service had it. */
  takePlace(place: number, service: number): Change[] {
    return this.#lists[place]!.service === service ? [] : [this.#replace(place, { service, segments: [] })];
  }

  #replace(place: number, list: PaidList): Change {
    this.#lists[place] = list;
    const segments = new Uint8Array(4 * MAX_PAID);
    list.segments.forEach((segment, i) => writeUint(segments, 4 * i, 4, segment));
    const { service } = list;
    const octets = PAID.encode({ service, count: list.segments.length, segments });
    return { at: this.#at + place * PAID.length, octets };
  }
}

function decodeList(image: Uint8Array, at: number): PaidList {
  const { service, count, segments } = PAID.read(image, at);
  return { service, segments: Array.from({ length: count }, (_, i) => readUint(segments, 4 * i, 4)) };
}
