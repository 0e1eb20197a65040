import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { amountOf, ticksOf } from '../../../apdu/decode-module/money/tariff.ts';
import {
  addTicks,
  amountOfTicks,
  readTicks,
  type Ticks,
  TICKS,
  ticksOfDuration,
  ticksOfOctets,
  writeTicks,
} from '../../../card-sim/soft/money/ticks.ts';

const u24 = fc.nat({ max: 0xffffff });
const u32 = fc.nat({ max: 0xffffffff });

function whole({ units, rest }: Ticks): bigint {
  expect(Number.isSafeInteger(units) && rest >= 0 && rest < TICKS).toBe(true);
  return BigInt(units) * BigInt(TICKS) + BigInt(rest);
}

describe('ticks without BigInt', () => {
  it('agree with the formulas of the page for every octet count, duration and price', () => {
    fc.assert(
      fc.property(u24, u32, (most, price) => {
        const tariff = { price: BigInt(price) };
        expect(whole(ticksOfOctets(most, price))).toBe(ticksOf({ kind: 'octets', ...tariff }, most, 0, false));
        expect(whole(ticksOfDuration(most, price))).toBe(ticksOf({ kind: 'duration', ...tariff }, 0, most, false));
      }),
      { numRuns: 5000, examples: [[0xffffff, 0xffffffff]] },
    );
  });

  it('add up and round up as BigInt does', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(u24, u32, fc.boolean()), { maxLength: 50 }), (groups) => {
        let sum: Ticks = { units: 0, rest: 0 };
        let right = 0n;
        for (const [units, price, byOctets] of groups) {
          const ticks = byOctets ? ticksOfOctets(units, price) : ticksOfDuration(units, price);
          sum = addTicks(sum, ticks);
          right += whole(ticks);
        }
        expect(whole(sum)).toBe(right);
        expect(BigInt(amountOfTicks(sum))).toBe(amountOf(right));
      }),
    );
  });

  it('are written and read as u64', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (value) => {
        const octets = new Uint8Array(8);
        const ticks = { units: Number(value / BigInt(TICKS)), rest: Number(value % BigInt(TICKS)) };
        writeTicks(octets, 0, ticks);
        expect(new DataView(octets.buffer).getBigUint64(0)).toBe(value);
        expect(readTicks(octets, 0)).toEqual(ticks);
      }),
    );
  });
});
