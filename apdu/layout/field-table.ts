import { FormatError } from '../errors.ts';
import { readUint, writeUint } from '../octets.ts';
import type { Field } from './field.ts';

type AnyField = Field<'value' | 'framing' | 'reserved', unknown>;
/** A table of fields, in the order of their octets. */
export type Fields = Readonly<Record<string, AnyField>>;

/** The values of a message: framing and reserved octets are no part of them. */
export type ValuesOf<F> = {
  readonly [Name in keyof F as F[Name] extends Field<'value', unknown> ? Name : never]: F[Name] extends Field<
    'value',
    infer Value
  >
    ? Value
    : never;
};

/** The values of a layout: `Values<typeof RECEIPT>`. */
export type Values<L> = L extends Layout<infer F> ? ValuesOf<F> : never;

/** Where a field stands. */
export interface FieldPlace {
  readonly name: string;
  readonly at: number;
  readonly size: number;
  /** As the page writes it: `u8` to `u64` for numbers, `octets` for all else. */
  readonly type: string;
}

/** The fields of one message in their order: where they stand, and how they are read and written. */
export class Layout<F extends Fields> {
  /** As a person would call the message. */
  readonly name: string;
  /** In octets. */
  readonly length: number;
  /** Offset of each field. */
  readonly at: { readonly [Name in keyof F]: number };
  readonly places: readonly FieldPlace[];
  readonly #sizes: { readonly [Name in keyof F]: number };
  readonly #values: readonly (FieldPlace & { readonly field: AnyField })[];
  readonly #reserved: readonly FieldPlace[];

  constructor(name: string, fields: F) {
    let length = 0;
    const all = Object.entries<AnyField>(fields).map(([field, { role, size, type }]) => {
      const at = length;
      length += size;
      return { role, field: fields[field]!, place: { name: field, at, size, type } };
    });
    this.name = name;
    this.length = length;
    this.places = all.map(({ place }) => place);
    this.at = recordOf<F>(this.places, 'at');
    this.#sizes = recordOf<F>(this.places, 'size');
    this.#values = all.flatMap(({ role, field, place }) => (role === 'value' ? { ...place, field } : []));
    this.#reserved = all.flatMap(({ role, place }) => (role === 'reserved' ? place : []));
  }

  /**
   * Writes a message; framing and reserved octets stay zero.
   * @throws OutOfRangeError naming a value that does not fit, and its range.
   */
  encode(values: ValuesOf<F>): Uint8Array {
    const message = new Uint8Array(this.length);
    this.write(message, values);
    return message;
  }

  /** Like {@link encode}, into octets that are there. @param base where the message starts in them. */
  write(message: Uint8Array, values: ValuesOf<F>, base = 0): void {
    const given: Readonly<Record<string, unknown>> = values;
    for (const { name, at, field } of this.#values) field.write(message, base + at, given[name], name);
  }

  /**
   * Reads a message.
   * @throws FormatError when it has another length, or a reserved octet is not zero.
   */
  decode(message: Uint8Array): ValuesOf<F> {
    if (message.length !== this.length) {
      throw new FormatError(`a ${this.name} has ${this.length} octets, not ${message.length}; its sender is faulty`);
    }
    return this.read(message);
  }

  /**
   * Reads a message among other octets.
   * @param base where it starts; what is missing at the end counts as zeros.
   * @throws FormatError when a reserved octet is not zero.
   */
  read(message: Uint8Array, base = 0): ValuesOf<F> {
    if (!this.isReservedZero(message, base)) {
      throw new FormatError(`a reserved octet of this ${this.name} is not zero; a newer tollcast may know it`);
    }
    const values: Record<string, unknown> = {};
    for (const { name, at, field } of this.#values) values[name] = field.read(message, base + at, name);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It was filled field by field, as the type is.
    return values as ValuesOf<F>;
  }

  /** One field as a number, whatever it counts. @param field of at most six octets. */
  readUint(message: Uint8Array, field: keyof F, base = 0): number {
    return readUint(message, base + this.at[field], this.#sizes[field]);
  }

  /** Writes one field; its range is not looked at. @param field of at most six octets. */
  writeUint(message: Uint8Array, field: keyof F, value: number, base = 0): void {
    writeUint(message, base + this.at[field], this.#sizes[field], value);
  }

  /** Writes fields that are there as numbers; their ranges are not looked at. */
  writeUints(message: Uint8Array, values: Readonly<Partial<Record<keyof F, number>>>, base = 0): void {
    for (const { name, at, size } of this.places) {
      const value = values[name];
      if (value !== undefined) writeUint(message, base + at, size, value);
    }
  }

  /** The octets of one field; a view. */
  view(message: Uint8Array, field: keyof F, base = 0): Uint8Array {
    const at = base + this.at[field];
    return message.subarray(at, at + this.#sizes[field]);
  }

  /** Whether all reserved octets are zero. */
  isReservedZero(message: Uint8Array, base = 0): boolean {
    for (const { at, size } of this.#reserved) {
      for (let i = base + at; i < base + at + size; i++) if (message[i] !== 0 && message[i] !== undefined) return false;
    }
    return true;
  }
}

/** Lays out the fields of a message one after the other. @param name as a person would call it. */
export function layout<const F extends Fields>(name: string, fields: F): Layout<F> {
  return new Layout(name, fields);
}

function recordOf<F extends Fields>(places: readonly FieldPlace[], of: 'at' | 'size'): Record<keyof F, number> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- There is one place for each field.
  return Object.fromEntries(places.map((place) => [place.name, place[of]])) as Record<keyof F, number>;
}
