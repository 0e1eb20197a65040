import { afterAll, expect, it } from 'vitest';
import { startCard } from '../../card-sim/index.ts';
import { systemClock } from '../../host/clock/clock.ts';
import { MemoryToken } from '../support/memory-token.ts';
import { replayVectors } from '../support/replay-vectors.ts';
import { countTally } from '../support/tally.ts';
import { CASES } from './cases/index.ts';

let passed = 0;

afterAll(() => countTally('conformance', 'soft, in a token without a wire', passed, 'cases'));

it.each(Object.keys(CASES))('a card answers through frames as without them: %s', async (topic) => {
  await using card = await startCard({ kind: 'soft' });
  const token = new MemoryToken(card, systemClock);
  const count = await replayVectors({ card, open: () => token.open(), topics: [topic] });
  expect(count).toBeGreaterThan(0);
  passed += count;
});
