import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError, OutOfRangeError } from '../../../../apdu/errors.ts';
import { commandCase, encodeCommand, parseCommand, type CommandApdu } from '../../../../apdu/iso7816/command-apdu.ts';
import { fromHex, toHex } from '../../../../apdu/octets.ts';

const header = { cla: 0x80, ins: 0x10, p1: 0x01, p2: 0x02 };
const octet = fc.integer({ min: 0, max: 255 });

/** Commands as `parseCommand` gives them: what is not there is not a property, and extended only where it had to be. */
const anyCommand: fc.Arbitrary<CommandApdu> = fc
  .record({
    cla: octet,
    ins: octet,
    p1: octet,
    p2: octet,
    data: fc.option(fc.uint8Array({ minLength: 1, maxLength: 600 })),
    le: fc.option(fc.integer({ min: 1, max: 65_536 })),
    extended: fc.boolean(),
  })
  .map(({ data, le, extended, ...rest }) => {
    const carriesLength = data !== null || le !== null;
    const long = (data?.length ?? 0) > 255 || (le ?? 0) > 256;
    return {
      ...rest,
      ...(data !== null && { data }),
      ...(le !== null && { le }),
      ...(carriesLength && (long || extended) && { extended: true }),
    };
  });

describe('command APDU', () => {
  test.each([
    ['case 1', { ...header }, '80100102', 1],
    ['case 2 short', { ...header, le: 5 }, '8010010205', 2],
    ['case 2 short, 256', { ...header, le: 256 }, '8010010200', 2],
    ['case 2 extended, 257', { ...header, le: 257 }, '80100102000101', 2],
    ['case 2 extended, 65,536', { ...header, le: 65_536 }, '80100102000000', 2],
    ['case 3 short', { ...header, data: fromHex('aabb') }, '8010010202aabb', 3],
    ['case 3 extended', { ...header, data: fromHex('aabb'), extended: true }, '80100102000002aabb', 3],
    ['case 4 short', { ...header, data: fromHex('aabb'), le: 256 }, '8010010202aabb00', 4],
    ['case 4 extended', { ...header, data: fromHex('aabb'), le: 300 }, '80100102000002aabb012c', 4],
  ])('%s', (_name, command, hex, expectedCase) => {
    expect(toHex(encodeCommand(command))).toBe(hex);
    expect(commandCase(parseCommand(fromHex(hex)))).toBe(expectedCase);
  });

  test('empty data is no data', () => {
    expect(toHex(encodeCommand({ ...header, data: new Uint8Array(), le: 1 }))).toBe('8010010201');
  });

  test('the longest command is written and read', () => {
    const octets = encodeCommand({ ...header, data: new Uint8Array(65_535).fill(7), le: 65_536 });
    expect(octets.length).toBe(65_544);
    expect(parseCommand(octets).data?.length).toBe(65_535);
  });

  test('what was written is read back', () => {
    fc.assert(
      fc.property(anyCommand, (command) => {
        expect(parseCommand(encodeCommand(command))).toEqual(command);
      }),
    );
  });

  test('what was read is written back, and anything else is a FormatError', () => {
    const near = fc.tuple(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.constantFrom(0, 1, 2, 3, 255),
      fc.uint8Array(),
    );
    const octets = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      near.map(([head, lc, rest]) => Uint8Array.of(...head, lc, ...rest)),
      near.map(([head, lc, rest]) => Uint8Array.of(...head, 0, 0, lc, ...rest)),
    );
    fc.assert(
      fc.property(octets, (any) => {
        let command: CommandApdu;
        try {
          command = parseCommand(any);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
          return;
        }
        expect(encodeCommand(command)).toEqual(any);
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    ['8010', 'cut header'],
    ['801001020000', 'extended field cut'],
    ['8010010203aabb', 'Lc beyond the end'],
    ['8010010201aabbcc', 'octets after Le'],
    ['80100102000000aa', 'extended Lc 0 with data'],
    ['80100102000003aabb', 'extended Lc beyond the end'],
  ])('%s is refused: %s', (hex) => {
    expect(() => parseCommand(fromHex(hex))).toThrow(FormatError);
  });

  test.each([
    [{ ...header, cla: 256 }],
    [{ ...header, p2: -1 }],
    [{ ...header, le: 0 }],
    [{ ...header, le: 65_537 }],
    [{ ...header, le: 1.5 }],
    [{ ...header, data: new Uint8Array(65_536) }],
  ])('a field that does not fit is refused', (command) => {
    expect(() => encodeCommand(command)).toThrow(OutOfRangeError);
  });
});
