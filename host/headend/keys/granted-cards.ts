import { decodeCardId, formatCardId, type ModuleClass } from '../../../apdu/decode-module/card-id.ts';
import { OutOfRangeError, TollcastError } from '../../../apdu/errors.ts';
import { Accounts, type IssuedCard } from '../../issuer/cards/accounts.ts';
import { type Currency, currencyByNumber } from '../../money/currency.ts';
import { requireTrusted } from '../../issuer/cards/issued-card.ts';
import { IssuerError } from '../../issuer/issuer-error.ts';

export interface GrantTerms {
  /** Modules of this class alone. */
  readonly accept: ModuleClass | undefined;
  /** Directory of the issuer store. */
  readonly store: string;
  /** Of the price; none of what is free. */
  readonly currency: Currency | undefined;
}

/**
 * Looks at the cards that are to be granted a service: a typing error, or a price in another currency, is noticed here and not by viewers.
 * @throws OutOfRangeError for a card of a class that is not accepted.
 * @throws TollcastError `GRANT`, IssuerError `WITHDRAWN`; where a head-end was given the unique master without the accounts, neither.
 */
export function requireGrantable(cards: readonly Uint8Array[], { accept, store, currency }: GrantTerms): void {
  requireAccepted(cards, accept);
  let accounts: Accounts;
  try {
    accounts = Accounts.open(store);
  } catch (error) {
    if (error instanceof IssuerError && error.code === 'NO_STORE') return;
    throw error;
  }
  try {
    for (const cardId of cards) requireUsable(accounts.card(cardId), cardId, store, currency);
  } finally {
    accounts.close();
  }
}

/** The class is in the card id; a key is not given to a module that may open nothing with it. */
function requireAccepted(cards: readonly Uint8Array[], accept: ModuleClass | undefined): void {
  const refused = cards.find((cardId) => accept !== undefined && decodeCardId(cardId).moduleClass !== accept);
  if (refused === undefined) return;
  throw new OutOfRangeError(
    `${formatCardId(refused)} is of class ${decodeCardId(refused).moduleClass}, and --accept ${accept} refuses it; leave one of the two out`,
  );
}

/** @throws TollcastError `GRANT`. */
function requireUsable(
  card: IssuedCard | undefined,
  cardId: Uint8Array,
  store: string,
  currency: Currency | undefined,
): void {
  const name = formatCardId(cardId);
  if (card === undefined) {
    throw new TollcastError('GRANT', `card ${name} was not issued from ${store}; check its id, or name its store`);
  }
  requireTrusted(card);
  if (currency !== undefined && card.currency !== currency.number) {
    const held = currencyByNumber(card.currency).code;
    throw new TollcastError(
      'GRANT',
      `card ${name} holds ${held}, and the price is in ${currency.code}; price it in ${held}`,
    );
  }
}
