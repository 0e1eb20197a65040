import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { verifyOffer } from '../../contract/offer/signed-offer.ts';
import type { PostMessage } from '../../holder/requests/subscription.ts';
import { requestPinned } from '../../transport/network/pinned-https.ts';
import { fetchChannels } from '../channels/fetch-channels.ts';

/** Octets of an answer. */
const MAX_ANSWER = 65_536;

/** A head-end that the card's issuer vouches for. */
export interface KnownHeadEnd {
  readonly url: URL;
  /** SHA-256 of its public key, hexadecimal. */
  readonly tlsKey: string;
}

/**
 * Finds out by which key a head-end is known: an offer that the card trusts says so.
 * @throws TollcastError `OFFER_NOT_TRUSTED` when no offer of it is signed by a key of the card.
 * @throws TransportError `HTTPS` when it does not answer.
 */
export async function findHeadEnd(url: URL, module: DecodeModule): Promise<KnownHeadEnd> {
  const trusted = await module.getVerificationKeys();
  for (const { octets } of await fetchChannels(url)) {
    try {
      const { headEnds } = verifyOffer(octets, trusted);
      const own = headEnds.find((headEnd) => new URL(headEnd.url).origin === url.origin);
      if (own !== undefined) return { url, tlsKey: own.tlsKey };
    } catch (error) {
      if (!(error instanceof TollcastError)) throw error;
    }
  }
  throw new TollcastError(
    'OFFER_NOT_TRUSTED',
    `${url.origin} shows no offer of its own that this card trusts; name the address that its offers have, or ask ` +
      'the issuer whom to trust',
  );
}

/** Sends octets to a head-end that is known. */
export function postToHeadEnd({ url, tlsKey }: KnownHeadEnd, path: string): PostMessage {
  const headers = { 'content-type': 'application/octet-stream' };
  return (body) =>
    requestPinned({ url: new URL(path, url), tlsKey, method: 'POST', headers, body, maxAnswer: MAX_ANSWER });
}
