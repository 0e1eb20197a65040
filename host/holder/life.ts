import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import type { LifeState, SelectAnswer } from '../../apdu/decode-module/select-answer.ts';
import { TollcastError } from '../../apdu/errors.ts';

/** States in which a card shows its purse, if it has one: see `hasPurse`. */
const LIVES_WITH_PURSE: readonly LifeState[] = ['active', 'blocked', 'terminated'];

/** Whether a card has a purse to show. A card that was never personalised has a card id of zeros, and no purse. */
export function hasPurse({ life, cardId }: SelectAnswer): boolean {
  return LIVES_WITH_PURSE.includes(life) && cardId.some((octet) => octet !== 0);
}

/** @throws TollcastError `CARD_NOT_ACTIVE` when the card is not active; the message says what its holder can do. */
export function requireActive(answer: SelectAnswer): void {
  requireLife(answer, ['active']);
}

/** @throws TollcastError `CARD_NOT_ACTIVE` when a card of this life state shows no purse. */
export function requirePurseShown(answer: SelectAnswer): void {
  requireLife(answer, LIVES_WITH_PURSE);
}

/** Selects the module. @throws TollcastError `CARD_NOT_ACTIVE`; what SELECT throws. */
export async function selectActive(module: DecodeModule): Promise<SelectAnswer> {
  const answer = await module.select();
  requireActive(answer);
  return answer;
}

function requireLife({ life }: SelectAnswer, lives: readonly LifeState[]): void {
  if (lives.includes(life)) return;
  const advice = life === 'blank' ? 'type: tollcast issuer personalise' : 'ask its issuer';
  throw new TollcastError('CARD_NOT_ACTIVE', `this card is ${life}; ${advice}`);
}
