import '../apdu/require-node.ts';
import { TransportError } from '../apdu/errors.ts';
import { startCard } from './index.ts';
import type { CardKind, SimulatedCard, StartCardOptions } from './simulator/simulated-card.ts';

// An optional peer of the package: whoever uses the fixture has it.
const { test } = await import('vitest').catch((cause: unknown) => {
  if (!(cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND')) throw cause;
  throw new TransportError('NO_VITEST', 'the card fixture needs Vitest; type: npm install --save-dev vitest', {
    cause,
  });
});

/**
 * Vitest's `test` with a `card`, new and inserted for each test and gone after it:
 *
 *     import { cardTest } from 'tollcast/card-sim/vitest';
 *     const test = cardTest('soft');
 *     test('lets go of a pulled card', async ({ card }) => { await card.pull(); ... });
 *
 * A test whose card cannot be started fails with a TransportError that says what to install.
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
