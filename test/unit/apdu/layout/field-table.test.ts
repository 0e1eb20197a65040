import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError, OutOfRangeError } from '../../../../apdu/errors.ts';
import { layout } from '../../../../apdu/layout/field-table.ts';
import {
  amount,
  flag,
  framing,
  oneOf,
  opaque,
  price,
  reserved,
  ticks,
  u16,
  u24,
  u32,
  u48,
  u8,
} from '../../../../apdu/layout/field.ts';

const SAMPLE = layout('sample', {
  kind: framing(u8()),
  age: u8({ min: 1, max: 120 }),
  small: u16(),
  middle: u24(),
  reserved1: reserved(2),
  large: u32(),
  index: u48(),
  price: price(),
  amount: amount({ max: 99n }),
  ticks: ticks(),
  name: opaque(3),
  isOpen: flag(),
  state: oneOf({ asleep: 4, awake: 9 }),
  reserved2: reserved(1),
});

const values = fc.record({
  age: fc.integer({ min: 1, max: 120 }),
  small: fc.nat({ max: 0xffff }),
  middle: fc.nat({ max: 0xff_ffff }),
  large: fc.nat({ max: 0xffff_ffff }),
  index: fc.nat({ max: 2 ** 48 - 1 }),
  price: fc.bigInt(0n, 2n ** 32n - 1n),
  amount: fc.bigInt(0n, 99n),
  ticks: fc.bigInt(0n, 2n ** 64n - 1n),
  name: fc.uint8Array({ minLength: 3, maxLength: 3 }),
  isOpen: fc.boolean(),
  state: fc.constantFrom('asleep', 'awake'),
});

const VALUES = {
  age: 1,
  small: 2,
  middle: 3,
  large: 4,
  index: 5,
  price: 6n,
  amount: 7n,
  ticks: 8n,
  name: Uint8Array.of(9, 10, 11),
  isOpen: true,
  state: 'awake',
} as const;

describe('a layout', () => {
  it('says where each field stands', () => {
    expect(SAMPLE.length).toBe(43);
    expect(SAMPLE.at).toEqual({
      kind: 0,
      age: 1,
      small: 2,
      middle: 4,
      reserved1: 7,
      large: 9,
      index: 13,
      price: 19,
      amount: 23,
      ticks: 29,
      name: 37,
      isOpen: 40,
      state: 41,
      reserved2: 42,
    });
  });

  it('reads what it wrote, alone and among other octets', () => {
    fc.assert(
      fc.property(values, fc.nat({ max: 5 }), (sample, base) => {
        expect(SAMPLE.decode(SAMPLE.encode(sample))).toEqual(sample);
        const octets = new Uint8Array(base + SAMPLE.length + 1).fill(0xff);
        octets.fill(0, base, base + SAMPLE.length);
        SAMPLE.write(octets, sample, base);
        expect(SAMPLE.read(octets, base)).toEqual(sample);
        expect(SAMPLE.readUint(octets, 'index', base)).toBe(sample.index);
        expect(SAMPLE.view(octets, 'name', base)).toEqual(sample.name);
      }),
    );
  });

  it('writes big-endian numbers in their octets', () => {
    const octets = SAMPLE.encode({ ...VALUES, ticks: 0x0102_0304_0506_0708n, index: 0x0102_0304_0506 });
    expect([...octets.subarray(13, 19)]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...octets.subarray(29, 37)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it.each([
    [{ age: 0 }, 'the age is 0; it must lie within 1 and 120'],
    [{ age: 1.5 }, 'the age is 1.5; it must lie within 1 and 120'],
    [{ middle: 2 ** 24 }, 'the middle is 16777216; it must lie within 0 and 16777215'],
    [{ large: -1 }, 'the large is -1; it must lie within 0 and 4294967295'],
    [{ amount: 100n }, 'the amount is 100; it must lie within 0 and 99'],
    [{ name: new Uint8Array(4) }, 'the name has 4 octets; it must have 3'],
  ])('refuses %o, and names field and range', (wrong, message) => {
    expect(() => SAMPLE.encode({ ...VALUES, ...wrong })).toThrow(OutOfRangeError);
    expect(() => SAMPLE.encode({ ...VALUES, ...wrong })).toThrow(message);
  });

  it('refuses another length, reserved octets that are not zero, and what it has no name for', () => {
    const octets = SAMPLE.encode(VALUES);
    expect(() => SAMPLE.decode(octets.subarray(1))).toThrow(FormatError);
    for (const at of [7, 8, 42]) {
      expect(SAMPLE.isReservedZero(octets.with(at, 1)), `octet ${at}`).toBe(false);
      expect(() => SAMPLE.decode(octets.with(at, 1)), `octet ${at}`).toThrow(FormatError);
    }
    expect(() => SAMPLE.decode(octets.with(41, 5))).toThrow(/state 5 is unknown/);
  });

  it('leaves framing to whoever seals the message', () => {
    const octets = SAMPLE.encode(VALUES);
    expect(octets[0]).toBe(0);
    SAMPLE.writeUint(octets, 'kind', 0x42);
    expect(SAMPLE.decode(octets)).toEqual(VALUES);
  });
});
