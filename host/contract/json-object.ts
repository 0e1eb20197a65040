import { FormatError } from '../../apdu/errors.ts';

/** Why a text is not read, in a sentence that {@link FormatError} ends. */
type Trouble = string;

/**
 * The fields of one JSON object, each read once and within its bounds. A field that nobody asked for is refused, as it
 * could change what the others mean.
 */
export class JsonObject {
  /** What the object is, for errors: `offer`, `offer.address`. */
  readonly #path: string;
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #read = new Set<string>();

  /** @throws FormatError when the value is not an object. */
  constructor(path: string, value: unknown) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw trouble(path, 'is not an object');
    this.#path = path;
    this.#fields = new Map(Object.entries(value));
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  /** A whole number. @throws FormatError outside min..max. */
  number(name: string, min: number, max: number): number {
    const value = this.#take(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw this.#trouble(name, `is not a whole number from ${min} to ${max}`);
    }
    return value;
  }

  /** A text of 1 to `max` characters without control characters. */
  text(name: string, max: number): string {
    const value = this.#take(name);
    if (typeof value !== 'string' || value.length < 1 || value.length > max || /\p{Cc}/u.test(value)) {
      throw this.#trouble(name, `is not a text of 1 to ${max} printable characters`);
    }
    return value;
  }

  /** A text that a pattern fits. @param what the pattern stands for: `an IPv4 address`. */
  pattern(name: string, pattern: RegExp, what: string): string {
    const value = this.#take(name);
    if (typeof value !== 'string' || !pattern.test(value)) throw this.#trouble(name, `is not ${what}`);
    return value;
  }

  oneOf<Name extends string>(name: string, names: readonly Name[]): Name {
    const value = this.#take(name);
    const found = names.find((known) => known === value);
    if (found === undefined) throw this.#trouble(name, `is not one of ${names.join(', ')}`);
    return found;
  }

  /** Micro-units or octets, written as a text of digits: a JSON number passes through floating point. */
  amount(name: string, max: bigint): bigint {
    const value = this.#take(name);
    const amount = typeof value === 'string' && /^(?:0|[1-9]\d{0,19})$/.test(value) ? BigInt(value) : undefined;
    if (amount === undefined || amount > max) throw this.#trouble(name, `is not a text of digits, 0 to ${max}`);
    return amount;
  }

  object(name: string): JsonObject {
    return new JsonObject(`${this.#path}.${name}`, this.#take(name));
  }

  /** @throws FormatError unless it is an array of min..max entries. */
  list<T>(name: string, min: number, max: number, read: (value: unknown, path: string) => T): readonly T[] {
    const value = this.#take(name);
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      throw this.#trouble(name, `is not a list of ${min} to ${max}`);
    }
    return value.map((entry: unknown, i) => read(entry, `${this.#path}.${name}[${i}]`));
  }

  /** @throws FormatError when a field was not read. */
  end(): void {
    for (const name of this.#fields.keys()) {
      if (!this.#read.has(name)) throw this.#trouble(name.slice(0, 40), 'is unknown; a newer tollcast may know it');
    }
  }

  #take(name: string): unknown {
    this.#read.add(name);
    return this.#fields.get(name);
  }

  #trouble(name: string, what: Trouble): FormatError {
    return trouble(`${this.#path}.${name}`, what);
  }
}

/**
 * Reads octets as one JSON object.
 * @param path what it is, for errors.
 * @throws FormatError when there are more than `max` octets, or they are not UTF-8, JSON or an object.
 */
export function parseJsonObject(path: string, octets: Uint8Array, max: number): JsonObject {
  if (octets.length > max) throw trouble(path, `has ${octets.length} octets; at most ${max} are read`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets));
  } catch (cause) {
    throw trouble(path, 'is not JSON in UTF-8', cause);
  }
  return new JsonObject(path, value);
}

/** A string of a list. @param max characters. */
export function readPattern(value: unknown, path: string, pattern: RegExp, what: string): string {
  if (typeof value !== 'string' || !pattern.test(value)) throw trouble(path, `is not ${what}`);
  return value;
}

/** The error of something that cannot be read. @param path names it. */
export function trouble(path: string, what: Trouble, cause?: unknown): FormatError {
  return new FormatError(`${path} ${what}; its sender is faulty, or not of this version`, { cause });
}
