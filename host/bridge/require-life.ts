import type { LifeState, SelectAnswer } from '../../apdu/decode-module/select-answer.ts';
import { TollcastError } from '../../apdu/errors.ts';

/**
 * @param lives the states in which the caller can use a card.
 * @throws TollcastError `CARD_NOT_ACTIVE`, with what its holder can do.
 */
export function requireLife({ life }: SelectAnswer, lives: readonly LifeState[] = ['active']): void {
  if (lives.includes(life)) return;
  const advice = life === 'blank' ? 'type: tollcast issuer personalise' : 'ask its issuer';
  throw new TollcastError('CARD_NOT_ACTIVE', `this card is ${life}; ${advice}`);
}
