import { expect } from 'vitest';
import type { UnplugOutcome } from './charge-through-unplugs.ts';

/** Holds a run of pulls to what a purse may lose by them. */
export function expectChargedOnce(outcome: UnplugOutcome, unplugs: number): void {
  const { answered, cutOff, groups, spent, torn, wrong } = outcome;
  expect(wrong).toEqual([]);
  expect(cutOff).toBe(unplugs);
  // Every group that was opened is paid, and of those that were cut off each at most once.
  expect(spent).toBeGreaterThanOrEqual(answered);
  expect(spent).toBeLessThanOrEqual(answered + cutOff);
  // In the receipts no group stands twice: what was taken for one that was cut off is itemised as torn.
  expect(spent - torn).toBeLessThanOrEqual(groups);
  expect(torn).toBeLessThanOrEqual(unplugs);
}
