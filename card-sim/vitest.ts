import '../apdu/require-node.ts';
import { test } from 'vitest';
import { startCard } from './index.ts';
import type { CardKind, SimulatedCard, StartCardOptions } from './simulator/simulated-card.ts';

/**
 * Vitest's `test` with a `card`, new and inserted for each test and gone after it:
 *
 *     import { cardTest } from 'tollcast/card-sim/vitest';
 *     const test = cardTest('soft');
 *     test('lets go of a pulled card', async ({ card }) => { await card.pull(); ... });
 */
export function cardTest(kind: CardKind, options: Omit<StartCardOptions, 'kind'> = {}) {
  return test.extend<{ card: SimulatedCard }>({
    // oxlint-disable-next-line no-empty-pattern -- vitest reads the pattern to know what a fixture needs
    card: async ({}, use) => {
      await using card = await startCard({ ...options, kind });
      await use(card);
    },
  });
}
