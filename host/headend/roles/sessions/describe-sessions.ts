import type { OpenOffers } from '../../announce/open-offers.ts';
import { describeSession } from '../../announce/session-sdp.ts';
import type { RunningServices } from './running-services.ts';

/** The SDP of each session that is sold, and how receivers reach the API. */
export function describeSessions({
  offers,
  running,
  url,
  tls,
}: {
  readonly offers: OpenOffers;
  readonly running: RunningServices;
  readonly url: string;
  readonly tls: { readonly fingerprint: string };
}): string[] {
  const api = { url, tlsKey: tls.fingerprint };
  return offers.list().flatMap((offer) => {
    const sent = running.list().find(({ identity }) => identity === offer.sold.session);
    if (sent === undefined) return [];
    return describeSession(offer, api, sent.runner.plan.to.ttl, sent.runner.format);
  });
}
