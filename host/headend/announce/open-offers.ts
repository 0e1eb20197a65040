import { equalTags, toHex } from '../../../apdu/octets.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Offer } from '../../contract/offer/offer.ts';
import { type OfferSigner, parseOffer, signOffer, type SignedOffer } from '../../contract/offer/signed-offer.ts';
import { formatSession } from '../../contract/session/session-identity.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import type { Charges } from '../charging/charge-terms.ts';
import type { ServicePlan } from '../config/service-plan.ts';
import { deriveCeilings } from '../keys/grants/grant.ts';
import type { SoldSession } from '../membership/sold-session.ts';
import type { OfferBook } from '../requests/request-ports.ts';
import type { KeptService, KeptSession } from '../roles/sessions/sold-services.ts';
import { limitGroups } from '../sender/sealing-profile.ts';

/** Seconds for which an offer is open; it is renewed in its second half. */
const VALIDITY = 86_400;
/** Seconds for which somebody may be joined under an offer that was closed. */
const MAX_JOIN = 366 * 86_400;
/** Seconds, where a service is not sold any more. */
const DEFAULT_CONFIRM_TIMEOUT = 60;

/** An offer that is open. */
export interface OpenOffer {
  /** The session hash, 40 hexadecimal digits. */
  readonly id: string;
  /** Row of its session. */
  readonly session: number;
  readonly signed: SignedOffer;
  readonly sold: SoldSession;
}

/** How receivers reach the API. */
export interface ApiAddress {
  readonly url: string;
  /** SHA-256 of its TLS key, hexadecimal. */
  readonly tlsKey: string;
}

/** The offers of a head-end, signed and kept as they were signed. */
export class OpenOffers implements OfferBook {
  readonly #store: HeadendStore;
  readonly #signer: OfferSigner;
  readonly #api: ApiAddress;
  readonly #clock: Clock;
  #offers = new Map<string, OpenOffer>();
  #billedByLog = new Set<number>();

  constructor(store: HeadendStore, signer: OfferSigner, api: ApiAddress, clock: Clock) {
    this.#store = store;
    this.#signer = signer;
    this.#api = api;
    this.#clock = clock;
  }

  /**
   * Sees to it that every session has an offer that says what is sold now. Those that say something else are closed:
   * nobody joins at their price any more, and who has joined is still known by them.
   */
  async renew(services: readonly KeptService[]): Promise<void> {
    const now = this.#now;
    const store = this.#store;
    await store
      .deleteFrom('offer')
      .where('validTo', '<', now - MAX_JOIN)
      .execute();
    const rows = await store.selectFrom('offer').selectAll().execute();
    const sessions = services.flatMap(({ plan, sessions: kept }) => kept.map((session) => ({ plan, session })));
    const offers = new Map<string, OpenOffer>();
    for (const row of rows) {
      const signed = parseOffer(row.octets);
      const sale = sessions.find(({ session }) => session.id === row.sessionId);
      const isOpen = row.validTo > now && sale !== undefined && this.#saysTheSame(signed, sale.plan, sale.session);
      const to = isOpen ? row.validTo : Math.min(row.validTo, now);
      if (to !== row.validTo) await store.updateTable('offer').set({ validTo: to }).where('id', '=', row.id).execute();
      offers.set(row.id, { id: row.id, session: row.sessionId, signed, sold: describeSale(signed, to, sale?.plan) });
    }
    for (const { plan, session } of sessions) {
      const isFresh = [...offers.values()].some(
        (one) => one.session === session.id && one.sold.to - now > VALIDITY / 2,
      );
      if (isFresh) continue;
      const offer = await this.#sign(plan, session, now);
      offers.set(offer.id, offer);
    }
    this.#offers = offers;
    this.#billedByLog = new Set(services.filter(({ plan }) => plan.isBilledByLog).map(({ plan }) => plan.number));
  }

  isBilledByLog(service: number): boolean {
    return this.#billedByLog.has(service);
  }

  find(sessionHash: string): SoldSession | undefined {
    return this.#offers.get(sessionHash)?.sold;
  }

  /** The newest open offer of each session. */
  list(): readonly OpenOffer[] {
    const newest = new Map<number, OpenOffer>();
    for (const offer of this.#offers.values()) {
      const known = newest.get(offer.session);
      if (this.#isOpen(offer) && (known === undefined || known.sold.to < offer.sold.to)) {
        newest.set(offer.session, offer);
      }
    }
    return [...newest.values()];
  }

  /** @param id 40 hexadecimal digits. @returns undefined when no such offer is open. */
  get(id: string): OpenOffer | undefined {
    const offer = this.#offers.get(id);
    return offer !== undefined && this.#isOpen(offer) ? offer : undefined;
  }

  #isOpen({ sold }: OpenOffer): boolean {
    return this.#now < sold.to;
  }

  get #now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }

  #saysTheSame(signed: SignedOffer, plan: ServicePlan, session: KeptSession): boolean {
    const offer = makeOffer(plan, session, this.#api, signed.from, signed.to);
    // Ed25519 signatures are the same for the same octets.
    return signed.keyId === this.#signer.keyId && equalTags(signed.octets, signOffer(offer, this.#signer));
  }

  async #sign(plan: ServicePlan, session: KeptSession, now: number): Promise<OpenOffer> {
    const octets = signOffer(makeOffer(plan, session, this.#api, now, now + VALIDITY), this.#signer);
    const signed = parseOffer(octets);
    const id = toHex(signed.sessionHash);
    const row = { id, sessionId: session.id, octets, validFrom: signed.from, validTo: signed.to };
    // The same price again, in the same second, opens the offer again.
    await this.#store
      .insertInto('offer')
      .values(row)
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ validTo: signed.to }))
      .execute();
    return { id, session: session.id, signed, sold: describeSale(signed, signed.to, plan) };
  }
}

function makeOffer(
  plan: ServicePlan,
  { identity, plan: { to, sources, profile } }: KeptSession,
  api: ApiAddress,
  from: number,
  until: number,
): Offer {
  return {
    name: plan.name,
    session: identity,
    service: plan.number,
    components: plan.components,
    ...(plan.currency !== undefined && { currency: plan.currency }),
    ceilings: deriveCeilings(plan.tariff, limitGroups(profile), plan.quantum),
    requestInterval: plan.requestInterval,
    joinLength: plan.joinLength,
    ...(plan.keepAlive !== undefined && { keepAlive: plan.keepAlive }),
    rating: plan.rating,
    suites: plan.suites,
    classes: (['card', 'soft'] as const).filter((name) => plan.classes[name]),
    headEnds: [{ url: api.url, tlsKey: api.tlsKey }],
    address: { address: to.address, port: to.port, keyPort: to.keyPort, sources },
    from,
    to: until,
  };
}

/** What was sold under an offer. @param to when it was closed, or ends. */
function describeSale(signed: SignedOffer, to: number, plan: ServicePlan | undefined): SoldSession {
  const { session, service, sessionHash, classes, keepAlive, slots, from } = signed;
  return {
    session: formatSession(session),
    service,
    sessionHash: toHex(sessionHash),
    charges: chargesOf(signed, plan?.schemes ?? {}),
    ...(plan?.isBilledByLog === true && { isBilledByLog: true }),
    from,
    to,
    ...(slots !== undefined && { slots }),
    classes,
    confirmTimeout: plan?.confirmTimeout ?? DEFAULT_CONFIRM_TIMEOUT,
    ...(keepAlive !== undefined && { keepAlive }),
  };
}

/** What is billed of what was sold under an offer, and what it is held against. */
export function chargesOf({ components, currency }: Offer, schemes: ServicePlan['schemes']): Charges {
  const terms = components
    .filter(({ basis }) => basis !== 'free')
    .map(({ part, payer, settlement, basis, price, period }) => ({
      part,
      payer,
      settlement,
      tariff: { kind: basis === 'octets' || basis === 'duration' ? basis : ('flat' as const), price },
      ...(period !== undefined && { period }),
      ...(settlement === 'invoice' && schemes[part] !== undefined && { scheme: schemes[part] }),
    }));
  return { terms, ...(currency !== undefined && terms.length > 0 && { currency }) };
}
