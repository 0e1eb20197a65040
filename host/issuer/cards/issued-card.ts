import { decodeCardId, formatCardId } from '../../../apdu/decode-module/card-id.ts';
import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import type { LifeState, SelectAnswer } from '../../../apdu/decode-module/select-answer.ts';
import { IssuerError } from '../issuer-error.ts';
import type { Accounts, IssuedCard } from './accounts.ts';

/** Advice about a card that is a copy, or an old state put back. */
export const OUT_OF_USE = 'type tollcast issuer block, and issue another';

/**
 * Selects the module in the reader and finds its account. So far the card only claims to be this one: it has proved
 * nothing.
 * @param lives the states in which the caller can use it.
 * @throws IssuerError `BLANK`, `NOT_IN_USE`, `WRONG_ISSUER` or `NOT_IN_ACCOUNTS`.
 */
export async function findIssuedCard(
  module: DecodeModule,
  accounts: Accounts,
  lives: readonly LifeState[],
): Promise<{ answer: SelectAnswer; card: IssuedCard }> {
  const answer = await module.select();
  if (answer.life === 'blank' || answer.life === 'personalised') {
    throw new IssuerError('BLANK', 'this card is blank; type: tollcast issuer personalise');
  }
  const name = formatCardId(answer.cardId);
  const card = await findAccount(answer.cardId, accounts);
  if (!lives.includes(answer.life)) {
    const advice = answer.life === 'blocked' ? 'type tollcast issuer unblock, or use another card' : 'use another card';
    throw new IssuerError('NOT_IN_USE', `card ${name} is ${answer.life}; ${advice}`);
  }
  return { answer, card };
}

/**
 * Finds the account of a card that is not here.
 * @throws IssuerError `WRONG_ISSUER` or `NOT_IN_ACCOUNTS`.
 */
export async function findAccount(cardId: Uint8Array, accounts: Accounts): Promise<IssuedCard> {
  const name = formatCardId(cardId);
  if (decodeCardId(cardId).issuer !== accounts.issuer) {
    throw new IssuerError('WRONG_ISSUER', `card ${name} is of another issuer; insert one of yours, or name its store`);
  }
  const card = await accounts.card(cardId);
  if (card !== undefined) return card;
  throw new IssuerError('NOT_IN_ACCOUNTS', `card ${name} is not in these accounts; put the newest copy of them back`);
}

/** @throws IssuerError `WITHDRAWN` when the card was lost, or once showed that it is a copy, or an old state put back. */
export function requireTrusted({ cardId, withdrawn }: IssuedCard): void {
  if (!withdrawn) return;
  throw new IssuerError(
    'WITHDRAWN',
    `card ${formatCardId(cardId)} is withdrawn: it was lost, a copy, or an old state put back; issue a new one`,
  );
}
