import { parseOffer } from '../../contract/offer/signed-offer.ts';
import { formatSession } from '../../contract/session/session-identity.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import type { Charges } from '../charging/charge-terms.ts';
import type { ServicePlan } from '../config/service-plan.ts';
import { chargesOf } from './open-offers.ts';

interface PastOffer {
  readonly session: string;
  readonly charges: Charges;
  /** Seconds since 1970: requests under it were answered in [from, to). */
  readonly from: number;
  readonly to: number;
}

/** What sessions cost, by the offers that were open then. */
export class PastPrices {
  readonly #offers: readonly PastOffer[];

  /**
   * Reads the offers that were open in [from, to], seconds since 1970.
   * @param findSchemes of a service, as it is sold now.
   */
  static async read(
    store: HeadendStore,
    from: number,
    to: number,
    findSchemes: (service: number) => ServicePlan['schemes'],
  ): Promise<PastPrices> {
    const rows = await store
      .selectFrom('offer')
      .select(['octets', 'validFrom', 'validTo'])
      .where('validFrom', '<=', to)
      .where('validTo', '>', from)
      .execute();
    return new PastPrices(
      rows.map(({ octets, validFrom, validTo }) => {
        const signed = parseOffer(octets);
        const charges = chargesOf(signed, findSchemes(signed.service));
        return { session: formatSession(signed.session), charges, from: validFrom, to: validTo };
      }),
    );
  }

  private constructor(offers: readonly PastOffer[]) {
    this.#offers = offers;
  }

  /**
   * All offers of a session that are open at one time say the same.
   * @param at seconds since 1970.
   * @returns undefined when none was open.
   */
  find(session: string, at: number): Charges | undefined {
    return this.#offers.find((offer) => offer.session === session && offer.from <= at && at < offer.to)?.charges;
  }
}
