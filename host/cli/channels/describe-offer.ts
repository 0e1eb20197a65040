import type { VerificationKey } from '../../../apdu/decode-module/keys/verification-key.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import type { Offer, PriceComponent } from '../../contract/offer/offer.ts';
import { type SignedOffer, verifyOffer } from '../../contract/offer/signed-offer.ts';
import type { CardSnapshot } from '../../holder/card-snapshot.ts';
import { formatMoney } from '../../money/amount.ts';
import { currencyByNumber } from '../../money/currency.ts';

const DAY = 86_400;

/** What a channel costs its viewer, in words. */
export function formatOfferPrice({ components, currency }: Offer): string {
  const parts = components.filter(isPaidByUser).map((component) => {
    const amount = currency === undefined ? '' : formatMoney(component.price, currency);
    const by = component.settlement === 'purse' ? 'from the card' : 'by invoice';
    return `${amount}/${unitOf(component)} ${by}`;
  });
  return parts.length === 0 ? 'free' : parts.join(' and ');
}

export function isPaidByUser({ payer, basis, price }: PriceComponent): boolean {
  return payer === 'user' && basis !== 'free' && price > 0n;
}

function unitOf({ basis, period = 0 }: PriceComponent): string {
  switch (basis) {
    case 'octets':
      return 'MB';
    case 'duration':
      return 'h';
    case 'period':
      return period % DAY === 0 ? `${period / DAY} days` : `${period} s`;
    case 'programme':
    case 'free':
      return basis;
  }
}

/** Whether one of these keys of a card signed the offer. */
export function isOfferTrusted({ octets }: SignedOffer, trusted: readonly VerificationKey[]): boolean {
  try {
    verifyOffer(octets, trusted);
    return true;
  } catch (error) {
    if (error instanceof TollcastError) return false;
    throw error;
  }
}

/**
 * Why this card cannot watch a channel; undefined when it can.
 * @param card as it shows itself.
 */
export function findObstacle(offer: SignedOffer, { moduleClass, answer, limits, trusted, purse }: CardSnapshot) {
  if (answer.life !== 'active' || moduleClass === undefined) return `the card is ${answer.life}`;
  if (!isOfferTrusted(offer, trusted)) return 'the card does not trust who signed the offer';
  if (!offer.classes.includes(moduleClass)) return `it is for cards of class ${offer.classes.join(' or ')}`;
  if (limits !== undefined && offer.rating > limits.ratingLimit) {
    return `it is for ${offer.rating} and above, and the card allows ${limits.ratingLimit}`;
  }
  const needsPurse = offer.components.some((one) => isPaidByUser(one) && one.settlement === 'purse');
  const own = purse === undefined ? undefined : currencyByNumber(purse.status.currency);
  if (needsPurse && own?.code !== offer.currency?.code)
    return `the card holds ${own?.code}, not ${offer.currency?.code}`;
  return undefined;
}
