import { FormatError, TransportError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';
import type { OfferHint } from '../../contract/announcement/offer-hint.ts';
import { parseOffer, type SignedOffer } from '../../contract/offer/signed-offer.ts';
import { type PinnedRequest, requestPinned } from '../../transport/network/pinned-https.ts';

/** Octets of a list of offers, and of one signed offer. */
const MAX_LIST = 1_000_000;
const MAX_OFFER = 16_384;
/** Channels of one head-end. */
const MAX_CHANNELS = 1000;
const HREF = /^\/v1\/offers\/[0-9a-f]{40}$/;

/**
 * Fetches the offers of a head-end. Neither it nor they are to be believed yet: an offer proves itself by its signature,
 * `verifyOffer`.
 * @param headEnd `https://HOST:PORT`.
 * @param signal ends it early, as if the head-end did not answer.
 * @throws TransportError `HTTPS` when it does not answer as a head-end does.
 */
export async function fetchChannels(headEnd: URL, signal?: AbortSignal): Promise<SignedOffer[]> {
  const list = await fetchOctets({ url: new URL('/v1/offers', headEnd), maxAnswer: MAX_LIST, signal });
  const channels: SignedOffer[] = [];
  for (const href of readAddresses(list, headEnd)) {
    const octets = await fetchOctets({ url: new URL(href, headEnd), maxAnswer: MAX_OFFER, signal });
    try {
      channels.push(parseOffer(octets));
    } catch (error) {
      // It may be of a later version.
      if (!(error instanceof FormatError)) throw error;
    }
  }
  return channels;
}

/**
 * Fetches an announced offer from the head-end that has the announced key.
 * @throws TransportError `HTTPS` when it does not answer, has another key, or has no such offer.
 * @throws FormatError when what it answers is another offer than was announced, or none.
 */
export async function fetchAnnounced({ id, url, tlsKey }: OfferHint, signal: AbortSignal): Promise<SignedOffer> {
  const address = new URL(`/v1/offers/${id}`, url);
  const offer = parseOffer(await fetchOctets({ url: address, tlsKey, maxAnswer: MAX_OFFER, signal }));
  if (toHex(offer.sessionHash) === id) return offer;
  throw new FormatError(`${address.href} is another offer than was announced; drop it`);
}

async function fetchOctets(request: PinnedRequest): Promise<Uint8Array> {
  const { status, body } = await requestPinned(request);
  if (status === 200) return body;
  const { href } = request.url;
  throw new TransportError('HTTPS', `${href} answers with status ${status}; check the address of the head-end`);
}

function readAddresses(list: Uint8Array, headEnd: URL): string[] {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(list));
    const offers: unknown = Reflect.get(Object(json), 'offers');
    if (!Array.isArray(offers)) throw new TypeError('offers');
    return offers
      .slice(0, MAX_CHANNELS)
      .map((entry) => String(Reflect.get(Object(entry), 'href')))
      .filter((href) => HREF.test(href));
  } catch (cause) {
    throw new TransportError('HTTPS', `${headEnd.origin} lists no offers; check the address of the head-end`, {
      cause,
    });
  }
}
