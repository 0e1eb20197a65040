import type { StrategyName } from './key-strategy.ts';

/** How members get the segment keys, and why so. */
export interface ChosenStrategy {
  readonly strategy: StrategyName;
  /** For the operator, a sentence. */
  readonly reason: string;
}

/**
 * Chooses how the members of a session get its segment keys. Segments are sold one by one, and pairs made, where the operator says so alone.
 * @param asked what the operator wants, or `auto`.
 * @param isInvoiced whether the user is billed for what it could open, and not for what it opened.
 */
export function chooseStrategy(asked: 'auto' | StrategyName, isInvoiced: boolean): ChosenStrategy {
  if (asked === 'single') return { strategy: asked, reason: 'the operator sells each segment by itself' };
  if (asked === 'pair') {
    return { strategy: asked, reason: 'the operator wants one message for all, and no later segment for who leaves' };
  }
  if (asked !== 'auto') return { strategy: asked, reason: 'the operator asks for it' };
  return isInvoiced
    ? { strategy: 'list', reason: 'it is settled by invoice, so who leaves must get no further key' }
    : {
        strategy: 'shared',
        reason: 'the purse pays for what is opened and the card keeps to its end, so one key serves all members',
      };
}
