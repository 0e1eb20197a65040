import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { computeMinEvery } from '../../../host/card-bench/min-every.ts';
import { withTables } from '../../bench/card/card-cost-tables.ts';
import {
  CHIPS,
  computeCommandTime,
  computeDecodesPerSecond,
  computeDecodeWork,
  computeEngineTime,
  LINKS,
  computeLinkTime,
  computeWear,
} from '../../bench/card/card-cost.ts';
import { API_OBJECTS_OCTETS, RAM_OCTETS } from '../../bench/card/card-memory.ts';
import figures from '../../bench/card/real-cards.json' with { type: 'json' };
import { readProfile } from '../../bench/read-profile.ts';

const MEASURED = figures.measured.map(readProfile);
const PAGE = readFileSync(new URL('../../../firmware-notes/real-cards.md', import.meta.url), 'utf8');

function link(name: string) {
  return LINKS.find((one) => one.name === name)!;
}

const [j3r180] = CHIPS;

describe('firmware-notes/real-cards.md', () => {
  test('has the tables that the model computes; else: node test/bench/write-real-cards.ts', () => {
    expect(PAGE).toBe(withTables(PAGE, MEASURED));
  });

  test('a table that is gone, or that nobody computes, is an error', () => {
    expect(() => withTables(PAGE.replace('<!-- table every -->', ''), MEASURED)).toThrow(/lacks: every/);
    expect(() => withTables(PAGE.replace('<!-- table every -->', '<!-- table evry -->'), MEASURED)).toThrow(
      /are not: evry/,
    );
  });

  test('a figure that was changed by hand is found', () => {
    const changed = PAGE.replace('| **together** | **', '| **together** | **1');
    expect(changed).not.toBe(PAGE);
    expect(withTables(changed, MEASURED)).toBe(PAGE);
  });
});

describe('the model, against figures worked out by hand', () => {
  test('T=1: span 16 is 62 octets there and 18 back, 1,012 etus', () => {
    expect(computeLinkTime(link('TA1 97'), 56, 16)).toBeCloseTo((1012 * 8) / 3.5714, 6);
    expect(computeLinkTime(link('TA1 18'), 56, 16)).toBeCloseTo((1012 * 31) / 3.5714, 6);
  });

  test('T=1: what passes 254 octets takes two blocks', () => {
    // Span 208 is 254 octets and one block; 16 more are 270 and two.
    expect(computeLinkTime(link('TA1 96'), 248, 208)).toBeCloseTo(((11 * (254 + 210 + 8) + 44) * 16) / 3.5714, 6);
    expect(computeLinkTime(link('TA1 96'), 264, 224)).toBeCloseTo(((11 * (270 + 226 + 12) + 66) * 16) / 3.5714, 6);
  });

  test('contactless: nine bits an octet, and the blocks', () => {
    expect(computeLinkTime(link('848k'), 56, 16)).toBeCloseTo((9 * 86) / 0.848 + 172.8, 6);
  });

  test('the two CBC calls of a DECODE of span 64', () => {
    expect(computeEngineTime(j3r180!, computeDecodeWork(64))).toBe(1545 + 6 * 20 + 1545 + 4 * 20);
  });

  test('a take adds its record', () => {
    const without = computeCommandTime(j3r180!, link('TA1 96'), 'decodeTake', computeDecodeWork(64));
    expect(computeCommandTime(j3r180!, link('TA1 96'), 'decodeTake', computeDecodeWork(64, 1)) - without).toBeCloseTo(
      2860,
      6,
    );
  });

  test.each(CHIPS)('$name: faster on a faster link, slower with a longer span or more arithmetic', (chip) => {
    const links = ['TA1 95', 'TA1 18', 'TA1 96', 'TA1 97'].map((name) => computeDecodesPerSecond(chip, link(name), 64));
    expect(links).toEqual(links.toSorted((a, b) => a - b));
    const spans = [208, 64, 32, 16].map((span) => computeDecodesPerSecond(chip, link('TA1 96'), span));
    expect(spans).toEqual(spans.toSorted((a, b) => a - b));
    const paths = (['decodeTake', 'decodeOctets', 'decodeSame', 'decodeFree'] as const).map((path) =>
      computeDecodesPerSecond(chip, link('TA1 96'), 64, path),
    );
    expect(paths).toEqual(paths.toSorted((a, b) => a - b));
  });

  test('every chip has the RAM and the commit buffer, with 64 octets for each of 7 engines', () => {
    expect(RAM_OCTETS + API_OBJECTS_OCTETS).toBeLessThanOrEqual(1500);
    for (const chip of CHIPS) {
      expect(chip.ram).toBeGreaterThanOrEqual(1500);
      expect(chip.commit).toBeGreaterThanOrEqual(384);
    }
  });
});

describe('wear at 5 Mbit/s', () => {
  test('$0.25/MB: 2,250 MB an hour, a take for 2.1 MB; a record cell lasts ten years', () => {
    const { records, recordYears, cut } = computeWear(5e6, { kind: 'octets', price: 250_000n });
    expect(records).toBeCloseTo(2250 / 2.1 + 1 / 8, 9);
    expect(recordYears).toBeCloseTo((500_000 * 64) / ((2250 / 2.1 + 1 / 8) * 8 * 365), 9);
    expect(recordYears).toBeGreaterThanOrEqual(10);
    // 2.1 MB, and a group of 131,600 octets.
    expect(cut).toBe(525_000n + 32_900n);
  });

  test('$2.00/h: 360 takes, whatever the bit rate', () => {
    const tariff = { kind: 'duration', price: 2_000_000n } as const;
    expect(computeWear(5e6, tariff).records).toBeCloseTo(2_000_000 / 5556 + 1 / 8, 9);
    // 10 s, and a group of 211 ms.
    expect(computeWear(5e6, tariff).cut).toBe(5_556n + 118n);
    expect(computeWear(20e6, tariff).records).toBe(computeWear(5e6, tariff).records);
  });

  test('a subscription writes no record, but initialises ciphers', () => {
    const { records, recordYears, inits, cut } = computeWear(5e6, { kind: 'free', price: 0n });
    expect({ records, recordYears, inits, cut }).toEqual({ records: 0, recordYears: undefined, inits: 48, cut: 0n });
  });
});

test.each([
  [2e6, 189.97, 1],
  [2e6, 189.96, 2],
  [5e6, 25, 19],
  [20e6, 0.95, 2000],
  [20e6, 0.949, undefined],
])('least n at %d bit/s and %d DECODE/s is %s', (rate, perSecond, every) => {
  expect(computeMinEvery(rate, perSecond)).toBe(every);
});
