import { expect, test } from 'vitest';
import { chooseStrategy } from '../../../host/headend/keys/strategies/choose-strategy.ts';

test.each([
  ['auto', true, 'list'],
  ['auto', false, 'shared'],
  ['single', false, 'single'],
  ['pair', false, 'pair'],
] as const)('of %s, where a user is invoiced: %s, it takes %s and says why', (asked, isInvoiced, strategy) => {
  const chosen = chooseStrategy(asked, isInvoiced);
  expect(chosen.strategy).toBe(strategy);
  expect(chosen.reason).toMatch(/invoice|purse|sells each segment by itself|one message for all/);
});
