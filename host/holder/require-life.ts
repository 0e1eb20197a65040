import type { LifeState, SelectAnswer } from '../../apdu/decode-module/select-answer.ts';
import { TollcastError } from '../../apdu/errors.ts';

/** States in which a card shows its purse; one that was terminated before it was personalised says that it is terminated and has none. */
const WITH_PURSE: ReadonlySet<LifeState> = new Set(['active', 'blocked', 'terminated']);

/** Whether a card has a purse to show. */
export function hasPurse({ life, cardId }: SelectAnswer): boolean {
  return WITH_PURSE.has(life) && cardId.some((octet) => octet !== 0);
}

/**
 * @param lives the states in which the caller can use a card.
 * @throws TollcastError `CARD_NOT_ACTIVE`, with what its holder can do.
 */
export function requireLife({ life }: SelectAnswer, lives: readonly LifeState[] = ['active']): void {
  if (lives.includes(life)) return;
  const advice = life === 'blank' ? 'type: tollcast issuer personalise' : 'ask its issuer';
  throw new TollcastError('CARD_NOT_ACTIVE', `this card is ${life}; ${advice}`);
}
