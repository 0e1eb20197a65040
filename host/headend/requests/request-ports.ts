import type { SoldSession } from '../membership/sold-session.ts';

/** The offers under which requests are answered. */
export interface OfferBook {
  /**
   * @param sessionHash of the request, 40 hexadecimal digits.
   * @returns undefined when no offer has this hash. One that has ended is still found while somebody may be joined under
   *   it.
   */
  find(sessionHash: string): SoldSession | undefined;
  /** Whether a service has a session that is billed from the log of requests alone. */
  isBilledByLog(service: number): boolean;
}

/** What the issuer says of cards. A head-end without an issuer's accounts takes every card that signs rightly. */
export interface CardStandings {
  /** @param cardId 8 octets, in hexadecimal. @returns `unavailable` when it cannot be said now. */
  standingOf(cardId: string): 'good' | 'unknown' | 'blocked' | 'unavailable';
}
