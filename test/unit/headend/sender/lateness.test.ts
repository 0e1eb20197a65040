import { expect, test } from 'vitest';
import { Lateness } from '../../../../host/headend/sender/lateness.ts';

test('shares of packets are as late as the bound of their bucket, and never later than the worst', () => {
  const lateness = new Lateness();
  expect(lateness.quantile(0.99)).toBe(0);
  lateness.add(0.1, 98);
  lateness.add(7);
  lateness.add(9000);
  expect([0.5, 0.98, 0.99, 1].map((share) => lateness.quantile(share))).toEqual([0.25, 0.25, 8, 9000]);
  const all = new Lateness();
  all.add(0.2, 900);
  all.addAll(lateness);
  expect([0.99, 1].map((share) => all.quantile(share))).toEqual([0.25, 9000]);
});
