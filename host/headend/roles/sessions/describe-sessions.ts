import type { ListChanges } from '../../announce/list-changes.ts';
import type { OpenOffers } from '../../announce/open-offers.ts';
import { describeSession } from '../../announce/session-sdp.ts';
import type { RunningServices } from './running-services.ts';

/** The SDP of each session that is sold, and how receivers reach the API. */
export function describeSessions({
  offers,
  running,
  changes,
  url,
  tls,
}: {
  readonly offers: OpenOffers;
  readonly running: RunningServices;
  readonly changes: ListChanges;
  readonly url: string;
  readonly tls: { readonly fingerprint: string };
}): string[] {
  const api = { url, tlsKey: tls.fingerprint };
  return offers.list().flatMap((offer) => {
    const sent = running.list().find(({ identity }) => identity === offer.sold.session);
    if (sent === undefined) return [];
    const { plan, format } = sent.runner;
    return describeSession(offer, api, { ttl: plan.to.ttl, format, changedAt: changes.lastOf(sent.identity) });
  });
}
