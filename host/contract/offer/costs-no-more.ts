import { formatSession } from '../session/session-identity.ts';
import type { Offer, PriceComponent } from './offer.ts';

/** Whether an offer is of the same session as one that was accepted, and no term of it costs its viewer more. */
export function costsNoMore(offer: Offer, accepted: Offer): boolean {
  if (offer.service !== accepted.service || formatSession(offer.session) !== formatSession(accepted.session))
    return false;
  if (offer.currency?.code !== accepted.currency?.code) return false;
  const { ceilings } = accepted;
  const isWithinCeilings = BOUNDS.every((name) => offer.ceilings[name] <= ceilings[name]);
  return (
    isWithinCeilings && offer.components.every((one) => accepted.components.some((other) => isCovered(one, other)))
  );
}

const BOUNDS = ['perMegabyte', 'perHour', 'flat', 'groupOctets', 'groupDuration', 'quantum'] as const;

function isCovered(one: PriceComponent, other: PriceComponent): boolean {
  const isSame = (['part', 'payer', 'basis', 'settlement', 'period'] as const).every(
    (name) => one[name] === other[name],
  );
  return isSame && one.price <= other.price;
}
