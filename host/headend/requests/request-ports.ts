import type { SoldSession } from '../membership/sold-session.ts';

/** The offers under which requests are answered. */
export interface OfferBook {
  /**
   * @param sessionHash of the request, 40 hexadecimal digits.
   * @param now seconds since 1970.
   * @returns undefined when no offer of this hash is open.
   */
  find(sessionHash: string, now: number): SoldSession | undefined;
}

/** What the issuer says of cards. A head-end without an issuer's accounts takes every card that signs rightly. */
export interface CardStandings {
  /** @param cardId 8 octets, in hexadecimal. */
  standingOf(cardId: string): 'good' | 'unknown' | 'blocked';
}
