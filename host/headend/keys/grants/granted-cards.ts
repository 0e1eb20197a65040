import { decodeCardId, formatCardId, type ModuleClass } from '../../../../apdu/decode-module/card-id.ts';
import { deriveCardKey } from '../../../../apdu/decode-module/keys/card-keys.ts';
import { OutOfRangeError, TollcastError } from '../../../../apdu/errors.ts';
import { Accounts, type IssuedCard } from '../../../issuer/cards/accounts.ts';
import { requireTrusted } from '../../../issuer/cards/issued-card.ts';
import { KeyStore } from '../../../issuer/keys/key-store.ts';
import { type Currency, currencyByNumber } from '../../../money/currency.ts';
import { StoreError } from '../../../store/store-error.ts';

/** A card that gets a grant. */
export interface GrantedCard {
  /** 8 octets. */
  readonly cardId: Uint8Array;
  /** Of this card, 16 octets. */
  readonly downlinkKey: Uint8Array;
}

/** What a card must be to get a grant. */
export interface GrantTerms {
  /** The only class of modules that may play; both when left out. */
  readonly accept?: ModuleClass | undefined;
  /** Of the price; a free service has none. */
  readonly currency?: Currency | undefined;
}

/**
 * Derives the downlink keys of cards that may be granted a service.
 * @param cards card ids, 8 octets each.
 * @param store directory of the issuer store that made them. The unique master is enough: without accounts, cards
 *   are taken as they are named.
 * @param passphrase is asked once at most, and only when there are cards.
 * @throws OutOfRangeError for a card of a class that is not accepted.
 * @throws TollcastError `GRANT` for a card that the store did not make, or that holds another currency.
 * @throws IssuerError `WITHDRAWN`, and as opening the unique master does.
 */
export async function openGrantedCards(
  cards: readonly Uint8Array[],
  { accept, currency }: GrantTerms,
  store: string,
  passphrase: () => Promise<string>,
): Promise<readonly GrantedCard[]> {
  if (cards.length === 0) return [];
  requireAccepted(cards, accept);
  await requireIssued(cards, store, currency);
  const unique = await new KeyStore(store, passphrase).open('unique');
  return cards.map((cardId) => ({ cardId, downlinkKey: deriveCardKey(unique, 'downlink', cardId) }));
}

/** The class is in the card id. A module that may open nothing with a key is not given it. */
function requireAccepted(cards: readonly Uint8Array[], accept: ModuleClass | undefined): void {
  const refused = cards.find((cardId) => accept !== undefined && decodeCardId(cardId).moduleClass !== accept);
  if (refused === undefined) return;
  throw new OutOfRangeError(
    `${formatCardId(refused)} is of class ${decodeCardId(refused).moduleClass}, and --accept ${accept} refuses it; ` +
      'leave one of the two out',
  );
}

/** A typing error, or a price in another currency, is noticed here and not by viewers. */
async function requireIssued(
  cards: readonly Uint8Array[],
  store: string,
  currency: Currency | undefined,
): Promise<void> {
  let accounts: Accounts;
  try {
    accounts = await Accounts.open(store);
  } catch (error) {
    if (error instanceof StoreError && error.code === 'NO_STORE') return;
    throw error;
  }
  try {
    for (const cardId of cards) requireUsable(await accounts.card(cardId), cardId, store, currency);
  } finally {
    await accounts.close();
  }
}

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
