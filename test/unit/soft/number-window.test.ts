import fc from 'fast-check';
import { expect, it } from 'vitest';
import { NumberWindow } from '../../../card-sim/soft/keys/number-window.ts';

it('takes each number once, and none that is 32 or more below the highest', () => {
  const near = fc.oneof(
    fc.nat({ max: 100 }),
    fc.integer({ min: 0xffffff00, max: 0xffffffff }),
    fc.nat({ max: 0xffffffff }),
  );
  fc.assert(
    fc.property(fc.array(near, { maxLength: 100 }), (numbers) => {
      let window = NumberWindow.decode(new Uint8Array(8));
      const taken = new Set<number>();
      let high = 0;
      for (const number of numbers) {
        expect(window.refuses(number)).toBe(taken.has(number) || number + 32 <= high);
        if (window.refuses(number)) continue;
        taken.add(number);
        high = Math.max(high, number);
        window = NumberWindow.decode(window.take(number).encode());
      }
    }),
    { numRuns: 2000 },
  );
});
